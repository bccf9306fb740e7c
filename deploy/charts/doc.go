// Package charts holds the Helm chart cloud-mirror, and its tests. It has no code for other
// packages.
//
// # Guarantees
//
//   - helm lint --strict accepts the chart with each file of examples.
//   - Each rendered object decodes strictly into its type of the Kubernetes API.
//   - The product loads the rendered configuration, with the variables and arguments of each pod.
//   - Each selector, port, volume and scale target leads to something in the release.
//   - The pods meet the restricted pod security standard. No credential is in any object.
//   - A mistake in the values is refused with a message that names the value.
//   - The alert rules, the schema of config and the table of values have one source each.
//
// # Decisions
//
// 2026-11-27: files/rules.yaml is a symbolic link to the alert rules. Helm follows it when it
// loads and when it packages a chart, so that no copy can differ.
//
// 2026-11-27: setup is a hook before installations and upgrades, with a configuration and a service
// account of its own. A hook after them would never start with helm --wait: workers are not ready
// before setup has run.
//
// 2026-11-27: a release runs the workers of chosen pools, because a cluster is in one region and
// each worker belongs in the region of its pool. A list of clusters in one release was rejected: Helm
// knows only one.
//
// 2026-11-27: the tests decode the objects of KEDA into small structs of their own. KEDA's Go
// module requires hundreds of others.
package charts
