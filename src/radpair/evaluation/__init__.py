"""Evaluation: probes within a label budget, zero-shot scores, retrieval, and their statistics."""
