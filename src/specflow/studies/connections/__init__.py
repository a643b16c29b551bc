"""Linear mode connectivity: branches of trunks, and the interpolation between their endpoints."""
