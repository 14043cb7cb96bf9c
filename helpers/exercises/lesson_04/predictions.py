"""Lines that the reveal of each prediction of lesson 4 shows for its options."""

EXPLANATIONS = {
    "4.a": {
        "less than twice as likely": "Then the model would not use the earlier mention.",
        "2 to 100 times as likely": "The two names were paired at random. But the pair stands in the text.",
        "more than 100 times as likely": "A head can copy what followed the first name before, whatever the names are.",
    },
    "4.b": {
        "with two layers and with one": "One layer of attention can see which tokens the first copy holds. It cannot see which one follows.",
        "with two layers only": "The second layer can read what the first layer wrote: which token stood before.",
        "with neither": "Random tokens do not occur in books. But the second copy repeats the first.",
    },
    "4.c": {
        "previous token": "Lessons 0 and 3 met such a head. One per model can be enough.",
        "current token": "Such a head gives the token a second form, but copying does not need several.",
        "first token": "A head that finds no match must attend somewhere: a row of softmax sums to 1.",
        "duplicate token": "It would find the earlier copy. But the token to predict stands one position later.",
        "induction": "The loss falls. But one induction head can be enough.",
    },
    "4.d": {
        "the earlier copy of the word": "That would be a duplicate-token head. Predicting the same word again would not help.",
        "the token after the earlier copy": "It is the token that came next last time.",
        "another token": "Then the head would not do on text what it does on random tokens.",
    },
    "4.e": {
        "the embedding": "Keys read tokens in many heads. This head needs the token before, which the embedding does not hold.",
        "the positions": "The distance to the earlier copy differs from text to text.",
        "the previous-token head": "Its output says which token stood before. The score counts all directions, not only the needed ones.",
        "another head of that layer": "The key may also use what this head reads, tokens a little further back. A score says how well weights fit, not what for.",
    },
    "4.f": {
        "none of them": "Then the key would not say which token stood before.",
        "the previous-token head only": "Its output carries one token, in a form that the keys read.",
        "that head and the one with the highest K score": "A high score means many matching directions. They need not tell tokens from each other.",
        "another set of heads": "Several heads could carry tokens to the keys. But most heads attend too broadly to pass on one token.",
    },
    "4.g": {
        "all of them": "All three replace the output. Does each of them remove all information about this sequence?",
        "some of them": "A resampled output can keep a property that its receivers use.",
        "none of them": "The kinds differ in what they put in place. That need not matter for what is lost.",
    },
    "4.h": {
        "none": "Then other paths could replace each of them.",
        "one, at K": "The match of token and previous token needs one path into K.",
        "two or more, all at K": "A match can need several pieces of evidence, and each of them is then needed.",
        "one or more at Q or V": "The query reads the token itself, mostly from the embedding.",
    },
    "4.i": {
        "a single one": "One distance gets the most attention. Others get a good part of it.",
        "1 and 2 together": "A match of the two preceding tokens would need these. But a good part of its attention goes elsewhere.",
        "1, 2 and 3 together": "The head attends to all three.",
        "none of these": "Tokens farther back get some attention, too.",
    },
    "4.j": {
        "less than half of it": "In a pair the tokens before do not match, so a head that reports them cannot help much.",
        "half to all of it": "Then one position back, which a pair shares with the first copy, would be most of what it carries.",
        "more than all of it": "The shortest match needs all help. But the head's other tokens differ in the copy.",
    },
    "4.k": {
        "to B": "B has the matching local context. But the head that reports it is cut.",
        "to C": "C follows A more recently, but a match by the token before does not see what is recent.",
        "to the first token": "It gets the attention of a query that finds no good match.",
        "elsewhere": "Other tokens match neither the token before nor the local context.",
    },
    "4.l": {
        "less than 90 %": "Trained models make mistakes. Here each score differs by design.",
        "90 % or more, but not all": "Softmax is never exactly 0 or 1. But the strength makes the rest very small.",
        "all": "Each token after the first of the second copy is determined, and attention is as good as 0 or 1.",
    },
    "4.m": {
        "the previous-token score": "The induction head reads what the previous-token head writes, so it cannot become sharp before. A score of 0.1 is low, though, and close seeds differ.",
        "the induction score": "A head that attends broadly to the first copy passes 0.1 without any match. It becomes sharp only with the previous-token head.",
        "both at the same measurement": "Each of the two is of little use without the other, so both rise together. Two crossings of a low threshold need not coincide.",
    },
    "4.n": {
        "at a uniform guess": "It cannot find the token that follows. But it can see which tokens the first copy holds.",
        "between a guess and two layers": "Frequencies of the first copy's tokens help, whatever their order.",
        "as low as with two layers": "One layer has the attention. It lacks keys that hold the token before.",
    },
    "4.o": {
        "more than 80 %": "Then late tokens would be easier mostly for reasons that need no induction.",
        "40 to 80 %": "Induction gives a part of the benefit. Other heads use context, too.",
        "less than 40 %": "Then nearly all benefit of the context would come from this head.",
    },
    "4.p": {
        "smaller by more than 0.1": "A head can count at V, too. Values change the prediction, not the attention.",
        "the same within 0.1": "Then the head would change the prediction through attention alone.",
        "larger by more than 0.1": "Then attention would fall, and the prediction would suffer less.",
    },
}
