"""What the reveal of each prediction of section 3, on induction, says of its options."""

EXPLANATIONS = {
    "7.k": {
        "its first or second token": "The first one cannot be predicted. One matching token could be a coincidence.",
        "its third to sixth token": "A few matching tokens are evidence enough that the text repeats.",
        "a later token, or none": "Then the model would need much evidence, or would not copy at all.",
    },
    "7.l": {
        "in the first third": "Two layers suffice for induction. So it could come early.",
        "in the middle third": "Earlier layers can build what its keys read, and later ones use what it finds.",
        "in the last third": "Then little depth would be left to use what the head copies.",
        "no head scores above 0.5": "Then the work would be spread over many heads, or not be done by attention.",
    },
    "7.m": {
        "more than two thirds": "Then other parts would do most of the copying, or replace these heads.",
        "a third to two thirds": "The heads matter, but heads with lower scores do a part, or replace them.",
        "less than a third": "Then these heads would do most of the copying.",
    },
    "7.n": {
        "changes by less than a tenth": "Then the keys would find the previous token elsewhere.",
        "falls by a tenth to a half": "Then other heads would do a part of the first hop.",
        "falls by more than a half": "A key must carry the token before it. Heads that attend to it can bring it.",
    },
    "7.o": {
        "for all": "Then the weights alone would find the strongest sender.",
        "for some": "A score is made of weights. Whether a head's output matters also depends on what it writes.",
        "for none": "Then overlap of subspaces would say nothing about these paths.",
    },
    "7.p": {
        "above 0.5": "Then the score could replace the experiment.",
        "above the shuffled range, up to 0.5": "Then the score would be a hint on every sender, and a weak one.",
        "within the shuffled range": "Most effects are near 0. Their order depends on more than overlap.",
        "below it": "Then senders that are read strongly would tend to lower the induction score.",
    },
}
