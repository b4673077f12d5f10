/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was meant, where a word is not known. */
#ifndef IOV_NEAR_H
#define IOV_NEAR_H

#define NEAR_EDITS 2 /* words further apart are not meant */
#define NEAR_WORD_SIZE 33

/* Edits that turn one word into another, by Levenshtein; more than NEAR_EDITS: far apart, not counted further. */
unsigned int near_distance(const char *a, const char *b);
/* The nearest of `words` ("a, b, c"), NULL: none is near. */
const char *near_word(const char *word, const char *words, char buffer[NEAR_WORD_SIZE]);

#endif
