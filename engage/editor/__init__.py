"""What an editor needs: the layout of a file, mends for its mistakes, and JSON Schemas to complete and check it by.

Pure: texts in, texts out. Knows the language from `engage.core.journey` and adds nothing to it.
"""
