package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// ErrAttributes is the error of a worker whose namespace lacks search attributes.
var ErrAttributes = errors.New("search attributes are not registered in Temporal: run `cloud-mirror setup`")

// SetupAttributes registers the workflows' search attributes in the namespace unless they are
// registered. It returns lines about its work, for people to read. With dryRun it changes nothing
// and returns the changes that it would make.
func SetupAttributes(ctx context.Context, c client.Client, namespace string, dryRun bool) ([]string, error) {
	const title = "Temporal search attributes: "
	missing, err := missingAttributes(ctx, c, namespace)
	list := strings.Join(missing, ", ")
	switch {
	case err != nil:
		return nil, err
	case len(missing) == 0:
		return []string{title + "exist"}, nil
	case dryRun:
		return []string{title + "would register " + list}, nil
	}
	add := map[string]enums.IndexedValueType{}
	for _, name := range missing {
		add[name] = enums.INDEXED_VALUE_TYPE_KEYWORD
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		SearchAttributes: add,
		Namespace:        namespace,
	})
	var exists *serviceerror.AlreadyExists
	if err != nil && !errors.As(err, &exists) {
		// Temporal Cloud does not offer the operator service to its users.
		return nil, fmt.Errorf("register search attributes (on Temporal Cloud, use `tcld namespace "+
			"search-attributes add`, type Keyword: %s): %w", list, err)
	}
	return []string{title + "registered " + list}, nil
}

// missingAttributes returns the search attributes that are not registered. It fails if one has
// another type. Temporal refuses to change that.
func missingAttributes(ctx context.Context, c client.Client, namespace string) ([]string, error) {
	have, err := listAttributes(ctx, c, namespace)
	if err != nil {
		return nil, fmt.Errorf("list search attributes of Temporal: %w", err)
	}
	for _, name := range workflows.AttributeNames() {
		if is, registered := have[name]; registered && is != enums.INDEXED_VALUE_TYPE_KEYWORD {
			return nil, fmt.Errorf("search attribute %s is registered as %s instead of Keyword: remove it with "+
				"`temporal operator search-attribute remove --name %s`", name, is, name)
		}
	}
	return slices.DeleteFunc(workflows.AttributeNames(), func(name string) bool {
		_, registered := have[name]
		return registered
	}), nil
}

// listAttributes asks the operator service. The client's own call omits the search attributes of a
// namespace on servers with an SQL visibility store. It is complete where the provider keeps the
// operator service to itself.
func listAttributes(ctx context.Context, c client.Client, namespace string) (map[string]enums.IndexedValueType, error) {
	list, err := c.OperatorService().ListSearchAttributes(ctx,
		&operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err == nil {
		return list.GetCustomAttributes(), nil
	}
	_, denied := errors.AsType[*serviceerror.PermissionDenied](err)
	_, unimplemented := errors.AsType[*serviceerror.Unimplemented](err)
	if !denied && !unimplemented {
		return nil, err
	}
	all, err := c.GetSearchAttributes(ctx)
	return all.GetKeys(), err
}
