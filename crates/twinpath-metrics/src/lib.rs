//! What samples mean: delay, variation, loss, duplication and reordering
