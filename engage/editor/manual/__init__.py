"""What every word of the files means, in a sentence and an example: shown by editors where the word is written.

One table for each place a word can stand in. A test holds that they name exactly the words the readers know.
"""
