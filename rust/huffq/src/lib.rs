//! Huffman coding of the integers of low-bit quantised neural networks.
