"""What the reveal of each prediction of lesson 0 says of its options."""

EXPLANATIONS = {
    "0.a": {
        "on the diagonal": "There each token attends to itself.",
        "one step below the diagonal": "In row i that is column i - 1: the token before.",
        "in the first column": "There every token attends to the first one. Such heads exist, too.",
    },
    "0.b": {
        "the embedding": "All else is computed from it, so outputs that are added should not drown it.",
        "the output of the head": "Many heads share one stream, so each can write little.",
        "about the same": "Nothing in training makes the lengths equal.",
    },
    "0.c": {
        "embedding · embedding": "It compares two words. The word before can be any word.",
        "embedding · position": "It would let the word of the query choose a position.",
        "position · embedding": "It would let the position of the query choose a word.",
        "position · position": "It compares two positions, and the position before is always one less.",
    },
    "0.d": {
        "the first “sat”": "It holds the same word. But does it know what comes next?",
        "the first “on”": "It is the token that followed ` sat` last time.",
        "the second “cat”": "It is the token just before. Another head of the model attends there.",
        "another token": "Many heads attend to the first token when they find nothing else.",
    },
    "0.e": {
        "only the induction head": "It writes the answer. But what does it need to find ` on`?",
        "only these two": "A story with two heads is simple. The model need not be.",
        "more heads, or others": "Other heads write what these two read, or help in the end.",
        "none of them": "Then every head would have a backup.",
    },
    "0.f": {
        "none": "One head looked like it in the first picture.",
        "one": "Then the model has one such head, and its ablation should hurt.",
        "two or three": "Larger models have several.",
        "more than three": "Then most of layer 0 would do the same.",
    },
}
