"""`python -m compiler.tools.corpus_score`: how much of what the vendor's compiler writes comes
out of this one, byte for byte, file by file.

Reads a folder of vendor files with their sources (`corpus.find_corpus`); nothing of the
compiler itself depends on it.
"""
