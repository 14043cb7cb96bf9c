"""What the reveal of each prediction of lesson 2 says of its options."""

EXPLANATIONS = {
    "2.a": {
        "all weights equal": "That is what a factor near 0 does.",
        "one weight near 1, the others near 0": "Differences between scores grow with the factor, and softmax exponentiates them.",
        "the same weights as before": "Softmax ignores a constant that is added to all scores, but not a factor.",
    },
    "2.b": {
        "none": "Then all patterns would be broad.",
        "half of them or fewer": "Other heads may spread their attention.",
        "more than half": "These three patterns are simple, and among the first tokens of a text there are few keys to choose from.",
    },
    "2.c": {
        "all have fewer": "Training gave a few directions more weight.",
        "some have fewer": "A head that compares many words may need many directions.",
        "none has fewer": "Then the heads would use their rank evenly, like random matrices.",
    },
    "2.d": {
        "less than 10 %": "Ten tokens of thousands are few. But language is not uniform.",
        "10 to 30 %": "A control pairs each token with the follower of another: common words reach something like this.",
        "more than 30 %": "Many pairs of English are frequent, such as a preposition and an article.",
    },
    "2.e": {
        "none": "Then no head would copy or suppress tokens more than random weights do.",
        "half of them or fewer": "Heads such as the previous-token head feed later heads, so their direct path could be like a random one.",
        "more than half": "A score is a mean over all tokens. A small, consistent effect is enough.",
    },
    "2.f": {
        "none": "Then no head would copy. Compare with the copying scores.",
        "half of them or fewer": "Raising what is read is copying. Few heads have a high copying score.",
        "more than half": "Copying is one job of heads among several.",
    },
    "2.g": {
        "in none": "A head can raise a token that often follows the source.",
        "in one to nine": "It copies most tokens, but not always in the first place.",
        "in all ten": "It has the highest copying score of all heads.",
    },
    "2.h": {
        "after “in”": "The phrase asks for it. But the head's OV circuit does not see the word “in”.",
        "after “at”": "The OV circuit is the same after both words. Only the attention to “keep” differs.",
        "it raises it after neither": "Then the books would not pair the two words.",
    },
    "2.i": {
        "none": "Tokens would have to help. The patterns of lesson 0 contained tokens.",
        "one": "Lesson 0 found one such head.",
        "more than one": "Some heads could need the right tokens before they show it in a text.",
    },
    "2.j": {
        "embedding · embedding": "The query's token and the key's token differ: the key comes after the earlier copy.",
        "embedding · previous-token head": "The previous-token head wrote at the key which token came before. The query is that token.",
        "position · position": "The distance is the same for all queries here. But it is not in other texts.",
        "another pair": "Other heads of layer 0 carry tokens, too.",
    },
    "2.k": {
        "the earlier copy of the query's token": "That would be a duplicate-token head.",
        "the token after the earlier copy": "It is the token that came next last time, the one to predict.",
        "the first token": "That would be an attention sink. This head has one, too, when it finds no match.",
        "another token": "A trace names the token with the most attention.",
    },
}
