// Package infra tests the files with which operators deploy cloud-mirror: deploy/terraform,
// deploy/systemd and deploy/compose.yaml. It has no code besides its tests.
//
// # Guarantees
//
//   - Terraform's files are formatted, and each name in them is declared and used. The validations of
//     variables accept the example and refuse what they must. The provider's schema is not checked.
//   - The settings that Terraform and compose.yaml write are accepted by the product.
//   - systemd accepts the units, and grades their isolation. systemd-analyze must be installed: the
//     test fails without it.
//   - compose.yaml fits the specification's schema. No container runs.
//
// # Decisions
//
// 2026-11-27: the tests evaluate Terraform's expressions with its own language library. `terraform
// validate` needs the provider, which Go's module proxy does not have.
//
// 2026-11-27: the parsers of Terraform and compose are many modules. They are in a module of their
// own, so that the product's go.mod stays small.
package infra
