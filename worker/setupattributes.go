package worker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/cloud-mirror/cloud-mirror/workflows"
)

// ErrAttributes is the error of a worker in a namespace without the search attributes.
var ErrAttributes = errors.New("search attributes are not registered in Temporal: run `cloud-mirror setup`")

// SetupAttributes registers the workflows' search attributes in the namespace unless they are
// registered. It returns lines about its work, for people to read. With dryRun it changes nothing
// and returns the changes that it would make.
func SetupAttributes(ctx context.Context, c client.Client, namespace string, dryRun bool) ([]string, error) {
	const title = "Temporal search attributes: "
	missing, err := missingAttributes(ctx, c, namespace)
	list := describeAttributes(missing)
	switch {
	case err != nil:
		return nil, err
	case len(missing) == 0:
		return []string{title + "exist"}, nil
	case dryRun:
		return []string{title + "would register " + list}, nil
	}
	add := map[string]enums.IndexedValueType{}
	for _, key := range missing {
		add[key.GetName()] = key.GetValueType()
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		SearchAttributes: add,
		Namespace:        namespace,
	})
	var exists *serviceerror.AlreadyExists
	if err != nil && !errors.As(err, &exists) {
		// Temporal Cloud does not offer the operator service to its users.
		return nil, fmt.Errorf("register search attributes (on Temporal Cloud, use `tcld namespace "+
			"search-attributes add`: %s): %w", list, err)
	}
	return []string{title + "registered " + list}, nil
}

// missingAttributes returns the search attributes that are not registered. It fails if one has
// another type. Temporal refuses to change that.
func missingAttributes(ctx context.Context, c client.Client, namespace string) ([]temporal.SearchAttributeKey, error) {
	have, err := listAttributes(ctx, c, namespace)
	if err != nil {
		return nil, fmt.Errorf("list search attributes of Temporal: %w", err)
	}
	var missing []temporal.SearchAttributeKey
	for _, key := range workflows.AttributeKeys() {
		switch is, registered := have[key.GetName()]; {
		case !registered:
			missing = append(missing, key)
		case is != key.GetValueType():
			return nil, fmt.Errorf("search attribute %s is registered as %s instead of %s: remove it with "+
				"`temporal operator search-attribute remove --name %[1]s`", key.GetName(), is, key.GetValueType())
		}
	}
	return missing, nil
}

// describeAttributes lists names, each with its type.
func describeAttributes(keys []temporal.SearchAttributeKey) string {
	all := make([]string, len(keys))
	for i, key := range keys {
		all[i] = fmt.Sprintf("%s (%s)", key.GetName(), key.GetValueType())
	}
	return strings.Join(all, ", ")
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
