"""What the reveal of each prediction on indirect object identification in lesson 7 says."""

EXPLANATIONS = {
    "7.q": {
        "less than a tenth of the logit difference": "Attention says what a head could use. Another head may write the same, or nothing reads it.",
        "a tenth to a half": "Several heads attend to S2, so one of them need not carry everything.",
        "more than half": "Then attention would have pointed straight to the head that matters.",
    },
    "7.r": {
        "IO": "A name mover attends to IO and raises it. That is one way to add to the difference.",
        "S1": "Attention to S raises the logit difference if the head lowers what it attends to.",
        "S2": "A head that attends to S2 and lowers S adds to the difference, without reading IO.",
        "another one in ABBA than in BABA": "Then the head would follow a place, not a role.",
    },
    "7.s": {
        "less than a tenth": "Needed and not sufficient is an AND: it works through heads that read the right names.",
        "a tenth to a half": "A sum and an AND: a part of the effect is direct.",
        "more than half": "Then the output would act by itself, as a direct effect does.",
    },
    "7.t": {
        "all": "Then attention to S2 would be a good test for S-inhibition.",
        "half of them or more": "Attention to S2 would be a hint. The path decides.",
        "fewer than half, but some": "Attention finds candidates. The path says which of them steer.",
        "none": "Then the name movers would get their queries from elsewhere.",
    },
    "7.u": {
        "the position signal": "The name movers can avoid a position without knowing the name there.",
        "the token signal": "The name movers can avoid a name wherever it stands.",
        "both signals": "In GPT-2 small both count, and the position counts more.",
        "neither signal": "Then these heads would matter for another reason than S.",
    },
    "7.v": {
        "the position signal": "To lower the logit of a name, a head has to know the name.",
        "the token signal": "What lowers the logit of a name depends on the name, not on a place.",
        "both signals": "The name sets which logit falls; a position could still set by how much.",
        "neither signal": "Then its output would be the same for every S.",
    },
    "7.w": {
        "a head that raised it, and raises it more": "This is a backup name mover, as in GPT-2 small.",
        "a head that lowered it, and lowers it less": "This is copy suppression: where IO is not predicted, there is nothing to suppress.",
        "no head rises by 0.3 logits in both orders": "Then what is left of the behaviour would come from heads that do not respond.",
    },
    "7.x": {
        "more than half in both orders": "Then what END needs would survive the replacement of all earlier heads.",
        "0 to half in one order or both": "Heads at END read earlier positions. What they read there is a mean now.",
        "below 0 in one order or both": "Without a signal about S, name movers may prefer S. A part of a circuit can be worse than nothing.",
    },
}
