"""One module per resource; each endpoint is described once and serves both clients."""
