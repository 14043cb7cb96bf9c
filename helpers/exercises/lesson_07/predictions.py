"""What the reveal of each prediction of lesson 7 says of its options."""

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
    "7.f": {
        "less than 2 times the median": "Then the first position would be like any other.",
        "2 to 20 times the median": "Then the first position would be longer than others, but not of another kind.",
        "more than 20 times the median": "RMSNorm divides by the length. So layers can read a stream of any length.",
    },
    "7.g": {
        "the first position": "It attends to itself alone, whatever its token is. A model can detect that.",
        "the position of BOS": "BOS was the first token of the texts in training, so its embedding could be the trigger.",
        "both": "Then token and place would each be enough.",
        "neither": "Then the model would need BOS at its usual place.",
    },
    "7.h": {
        "1 to 5": "A few coordinates can be far larger than all others, if the axes are special.",
        "6 to 50": "Then the vector would prefer some axes, without being one of them.",
        "more than 50": "A random direction looks like this: its squared norm is spread over all axes.",
    },
    "7.i": {
        "changes by less than 0.1 nats per token": "Then later layers would not depend on this number.",
        "rises by 0.1 to 1": "Then later layers would use it, but could mostly do without.",
        "rises by more than 1": "Later layers can rely on a constant as on a bias. Without it they read a stream unlike any of training.",
    },
    "7.j": {
        "to remove the value": "Then the content of the first position would matter most.",
        "to forbid the attention": "Weights must sum to 1. So the freed attention goes to other positions, and moves their values.",
        "both change it by less than 0.1 nats per token": "Then the model could do without its sinks.",
    },
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
    "7.y": {
        "none": "Then every behaviour needs a head that works at an earlier position.",
        "one or two": "What END can read directly from a word needs no head before it.",
        "three or more": "Then most answers could be read off the words by END alone.",
    },
    "7.z": {
        "80 % or more": "Then what was fitted to the visible prompts also holds for other names and templates.",
        "60 to 80 %": "A part of the fit belongs to the prompts on which the circuit was chosen.",
        "less than 60 %": "Then most of the fit belongs to the prompts on which the circuit was chosen.",
    },
}
