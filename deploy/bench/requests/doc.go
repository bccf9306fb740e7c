// Command requests measures the main job on the local stack: first requests of objects, which wait
// for a copy, and the next requests of an object, which find one.
//
// Its baseline is an empty workflow of three activities in the same run, as many as a copy has.
//
// Run it with `make bench`. ARGS="-h" lists its flags.
package main
