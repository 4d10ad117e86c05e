"""Huffman-coded storage for the integers of low-bit quantised neural networks."""
