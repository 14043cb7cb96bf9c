"""What the reveal of each prediction of lesson 1 says of its options."""

EXPLANATIONS = {
    "1.a": {
        "between the tokens": "Some words matter more than others. But each head has a size of its own.",
        "between the components": "A head writes with about the same norm at most tokens.",
    },
    "1.b": {
        "W_E": "Each token needs a vector that differs from those of all others.",
        "W_pos": "There are hundreds of positions. But neighbours are alike.",
        "both as many as random": "Training starts from random numbers. It does not leave them random.",
    },
    "1.c": {
        "before the first layer": "There each row holds one token, so the order cannot matter.",
        "after the first layer": "By then heads have mixed the tokens.",
        "at the end": "By then both layers have mixed the tokens.",
        "nowhere": "Order matters for attention. Where has attention not acted yet?",
    },
    "1.d": {
        "a straight line": "Positions have an order. But a straight line would need one component alone.",
        "a bent curve": "Neighbours are alike, and the curve needs more than one direction.",
        "a cloud without order": "Positions start at random. Training would have to make neighbours alike.",
    },
    "1.e": {
        "digit": "Digits are alike. Where they are few, random directions separate them well, too.",
        "name": "Names are used alike: one stands where another could stand.",
        "capital": "A capital is seen in the text. Tokens with a capital have many different uses.",
    },
    "1.f": {
        "already before any layer": "There both copies of a token have the same row, unless positions are written.",
        "after the first layer": "A head there could attend to the earlier copy.",
        "after a later layer": "An induction head acts on second copies. Does its output vary most along one direction?",
        "nowhere": "The information can be there along directions of little variance.",
    },
    "1.g": {
        "none": "Nothing is stored there, so nothing could be disturbed.",
        "some": "Later queries and keys read these directions. A head that writes there would look like a position.",
        "all": "Then the subspace would be reserved for positions.",
    },
    "1.h": {
        "more extreme by 20 % or more": "It would hint at axes that mean something. In large trained models this is seen.",
        "within 20 %": "Nothing in this model acts on single axes of the stream.",
        "less extreme by 20 % or more": "A rotation mixes axes, so it can hardly make entries more extreme.",
    },
    "1.i": {
        "first": "The induction head needs what the previous-token head writes.",
        "in the first quarter, but not first": "Large matrices give large norms, whatever they connect.",
        "lower": "A norm says nothing about directions that match.",
    },
    "1.j": {
        "the embedding of the last token": "It knows which tokens often follow. It does not know this text.",
        "a head of the last layer": "It can attend to what came next last time, and copy that.",
        "another component": "Earlier heads mostly act through later ones.",
    },
    "1.k": {
        "in all rows": "Then it would push for this token whatever the text says.",
        "in some rows": "The head may write along the same direction in other rows, too.",
        "in the last row only": "In other rows it attends elsewhere, so it writes something else.",
    },
    "1.l": {
        "already before any layer": "The embedding alone knows only which tokens often follow.",
        "after the first layer": "Its heads cannot read yet which token stood before another one.",
        "after the last layer": "An induction head needs what a head of an earlier layer wrote.",
        "never": "Then the model would not use the repetition.",
    },
    "1.m": {
        "none": "With few layers there is little time to reuse memory.",
        "some": "The embedding of the present token may be worth erasing, once it was read.",
        "more than half": "Then most of what is written would be removed again.",
    },
    "1.n": {
        "less than 0.8": "Heads would have erased a part of it.",
        "between 0.8 and 1.2": "All is added, and little of it along the embedding.",
        "more than 1.2": "Repeaters would have written it again.",
    },
}
