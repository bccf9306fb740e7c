package system

import "runtime/debug"

// Version returns the version that the linker set, or without one the version of the module.
func Version(linked string) string {
	if info, ok := debug.ReadBuildInfo(); linked == "" && ok {
		return info.Main.Version
	}
	return linked
}
