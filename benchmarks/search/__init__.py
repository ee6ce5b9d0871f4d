"""How much every sampler finds for how many paid calls: `make bench-search`."""
