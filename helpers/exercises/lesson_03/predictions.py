"""What the reveal of each prediction of lesson 3 says of its options."""

EXPLANATIONS = {
    "3.a": {
        "none": "Then the weights would give no hint of a circuit.",
        "one": "Then the one previous-token head that provides the token before would stand alone.",
        "two or more": "Keys may also use outputs of heads that attend further back. A score measures overlap, not need.",
    },
    "3.b": {
        "the positions at Q and K, the embedding at V": "It attends by position, and what it carries is the token.",
        "the positions at all ports": "At the values positions would say where the token stood, not which token it was.",
        "the embedding at all ports": "Then the head would find the previous token by what it is, which differs in every text.",
        "another combination": "Scores compare overlap. Queries and keys need not agree.",
    },
    "3.c": {
        "none": "Then the weights of this layer would treat positions like random vectors.",
        "some": "Scores far above the baseline suggest that positions are read, scores far below that they are avoided.",
        "all": "Then every head of the layer would read positions, or avoid them. Some have no use for them.",
    },
    "3.d": {
        "the score of A, with a minus sign": "A score is a quotient of norms, and norms are not negative.",
        "the score of A": "Each pair turned by 180° gives −A. A sign does not change a norm, nor the norm of a product.",
        "about the random baseline": "The directions are the same lines as before, only their signs differ.",
    },
    "3.e": {
        "one": "Then the two heads would communicate through a single direction.",
        "2 to 20": "Then a few directions would hold the message.",
        "more than 20": "If a whole embedding is passed on, many directions take part.",
    },
    "3.f": {
        "above 0.7": "Then the score alone would be a good guide to causes.",
        "between 0 and 0.7": "The score sees overlap. It does not see where heads attend, nor what softmax ignores.",
        "0 or less": "Then a high score would be no hint of an effect at all.",
    },
    "3.g": {
        "at the last position": "There the head reads the token before the last one. The prediction follows the last one.",
        "at the position that the induction head attends to": "The key at this position has to contain the token before.",
        "at another position": "Then this head would act by a way that is not the induction circuit.",
    },
    "3.h": {
        "to the token after the earlier copy": "There the induction head attends. The previous-token head takes one more step from it.",
        "to the earlier copy itself": "One step to the token after the copy, then one step back.",
        "to the previous token": "The later head attends from the query first. The earlier pattern then acts from the attended position.",
        "elsewhere": "The product of two broad patterns is broader still. These two patterns are narrow at most queries.",
    },
    "3.i": {
        "more than the paths through one head": "There are more virtual heads than heads. But their number does not say how much they write.",
        "less, but at least a fifth of it": "Then values would carry much of what earlier heads wrote.",
        "less than a fifth of it": "Composition can act through queries and keys instead. These are part of the frozen patterns.",
    },
    "3.j": {
        "in all three": "Then both heads would need everything that these subspaces hold, also what an idle head writes.",
        "in the first two": "There the head loses what its attention depends on.",
        "in the first only": "Then the keys of the induction head would not need what the previous-token head writes.",
        "another combination": "Then a subspace that an idle head writes to would hold what the induction head needs.",
    },
}
