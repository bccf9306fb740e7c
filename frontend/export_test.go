package frontend

// KnownWeight returns the estimated memory of the kept redirects, in bytes, and their number.
func (s *Server) KnownWeight() (bytes uint64, n int) {
	s.redirects.known.targets.CleanUp() // It weighs in the background.
	return s.redirects.known.targets.WeightedSize(), s.redirects.known.targets.EstimatedSize()
}
