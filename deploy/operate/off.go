package operate

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cloud-mirror/cloud-mirror/activities"
	"github.com/cloud-mirror/cloud-mirror/cache"
)

// offError is the error of an object whose host or pool is switched off.
type offError struct{ bypass cache.Bypass }

// Error names the commands that help.
func (e *offError) Error() string {
	kind, of, _ := strings.Cut(e.bypass.Name, ":")
	return fmt.Sprintf("%s is switched off until %s: use --force, or cloud-mirror bypass remove --%s %s",
		printable(e.bypass.Name), e.bypass.Until.UTC().Format(time.RFC3339), kind, printable(of))
}

// allowed returns an [*offError] if the object's host or pool is switched off. With force it allows
// any object.
func (m *mirror) allowed(ctx context.Context, of activities.SealedObject, force bool) error {
	if force {
		return nil
	}
	list, err := m.cache.Bypasses(ctx)
	if err != nil {
		return err
	}
	if b := cache.Covering(list.All, of.Pool(), of.URL); b.Name != "" {
		return &offError{b}
	}
	return nil
}
