"""What the reveal of each prediction of section 1, on a modern block, says of its options."""

EXPLANATIONS = {
    "7.a": {
        "more than for each of them": "Then the mean would carry something that other directions do not.",
        "no more than for some of them": "RMSNorm lets every direction through. So the mean is one direction among many.",
    },
    "7.b": {
        "the model with learned positions": "It learned one vector per position. A shift gives every token vectors of other positions.",
        "the model with rotary positions": "Every query and every key is turned further. Do their dot products change?",
        "both": "Both models receive other position numbers. Not every position enters as a number, though.",
        "neither": "Then absolute positions would play no part in either model.",
    },
    "7.c": {
        "the fastest third of the pairs": "Their angle differs most between one token back and two tokens back.",
        "the middle third": "They turn too little from one token to the next to single out a neighbour.",
        "the slowest third": "They hardly turn within a text. They suit scores that do not depend on the position.",
        "no single pair lowers it by a fifth": "Then many pairs would carry the preference together.",
    },
    "7.d": {
        "more": "Equal keys make equal tokens easy to find. But each head has queries of its own.",
        "about as much": "Then the queries alone would decide where a head attends.",
        "less": "Heads that share keys could divide the tokens among themselves.",
    },
    "7.e": {
        "less than a tenth": "So it is with GELU: a large activation is positive.",
        "a tenth to a third": "Then gates would open mostly where the key's reading is positive.",
        "more than a third": "Only the gate goes through the activation function. The key's reading can have either sign.",
    },
}
