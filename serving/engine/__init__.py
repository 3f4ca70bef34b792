"""One replica's engine: scheduler, page table, step program, sampler, and the gRPC server around them."""
