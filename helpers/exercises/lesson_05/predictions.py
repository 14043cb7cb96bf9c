"""What the reveal of each prediction of lesson 5 says of its options."""

EXPLANATIONS = {
    "5.a": {
        "above 1": "The model would follow the order of the first two names.",
        "between −1 and 1": "The model would have lost what distinguishes the names. But one of them is still repeated.",
        "below −1": "IO of the original is now the repeated name, so the other name is the answer.",
        "another range in ABBA than in BABA": "The model would need both S2 and the order of the names.",
    },
    "5.b": {
        "by as much, or more": "The head's own part doubles. But its output also makes the stream longer.",
        "by less, but it rises wherever the contribution is positive": "A larger scale makes all other parts smaller.",
        "by less, and in some cases it falls although the contribution is positive": "All other parts can shrink by more than the head's own part grows.",
    },
    "5.c": {
        "IO": "END must say IO. A head that attends to IO can copy it.",
        "S1": "A head there could lower the logit of S. But S1 carries no information on the repetition.",
        "S2": "A head there can lower the logit of S, or pass the name on to later heads.",
        "none of these with more than half": "Attention could be spread over several tokens.",
    },
    "5.d": {
        "none": "Then the seven heads would follow positions, and none of them would find IO.",
        "1 to 3": "The others may prefer a position, such as the second name.",
        "4 to 6": "Then most of them would find IO. But several add to the logit difference in one order only.",
        "all seven": "Then each of them would distinguish the names themselves, whatever the order.",
    },
    "5.e": {
        "duplicate token": "S2 would attend to S1 more than to IO: one head is enough for this.",
        "induction": "S2 would attend to the token after S1. This takes a previous-token head, too.",
        "both jobs": "Wang et al. report heads for both in GPT-2 small.",
        "neither job": "Then no head marks S2 as repeated in this way. The model may not need the repetition.",
    },
    "5.f": {
        "in one layer, directly": "A head that attends from END to S2 can move all of it at once.",
        "over several layers, directly": "Then heads of several layers would each move a part.",
        "by way of another position": "A token between S2 and END could carry the information on.",
    },
    "5.g": {
        "at none": "Then this patch would not change the answer.",
        "at END only": "There the model names a person. At other positions the next token hardly depends on who is named.",
        "at END and others": "Every later position can attend to S2.",
        "at others only": "Then the answer would stay as it was.",
    },
    "5.h": {
        "less than 25 %": "If the output only steered later heads, it would find no name to steer them to.",
        "25 to 75 %": "It lowers S directly. But the abc text does not contain IO, so no head can copy IO.",
        "more than 75 %": "Then the output would be sufficient, and the other heads would add little.",
    },
    "5.i": {
        "query (Q)": "END would have to know already which name is repeated.",
        "key (K)": "The head would attend to another position.",
        "value (V)": "The head would attend to the same position, and move another name.",
    },
    "5.j": {
        "less than 0.1": "The path patch was a mean. On one prompt the effect could be small.",
        "0.1 to 0.3": "The preference weakens and need not vanish: other outputs reach the query, too.",
        "more than 0.3": "Then this output would decide nearly alone where the head attends.",
    },
    "5.k": {
        "the position signal": "The name movers would learn which position to avoid.",
        "the token signal": "The name movers would learn which name to avoid.",
        "both signals": "GPT-2 small uses both. Other models need not.",
        "neither signal": "Then nothing that these heads write would matter for the answer.",
    },
    "5.l": {
        "above, by more than 1 standard deviation": "A mention raises a name, as IO and S show.",
        "within 1 standard deviation": "The subject's name is not raised, or it is raised by the mention and lowered by its role.",
        "below, by more than 1 standard deviation": "It would stand out below names that do not occur. Being below their mean by less than 1 standard deviation is nothing unusual.",
    },
    "5.m": {
        "no head rises by 0.3 logits": "Then no other head would replace the name movers.",
        "a head of an earlier layer": "Its output cannot have changed. But the final LayerNorm divides by another scale.",
        "a head of the same layer or a later one": "A head of a later layer could take over: a backup name mover.",
    },
    "5.n": {
        "IO above S": "The name movers would have to distinguish IO from S without S-inhibition.",
        "IO above all names": "They raise names that are in the text, whichever of them is IO.",
        "both": "Then S-inhibition would not be needed.",
        "neither": "Then names would be raised by other heads, or by the MLPs.",
    },
    "5.o": {
        "the fractions differ by less than 0.2": "The circuit would work in the same way in both orders.",
        "ABBA keeps more": "The heads that are kept would favour the first name.",
        "BABA keeps more": "The heads that are kept would favour the second name.",
    },
    "5.p": {
        "closer to the full model, in both orders": "The bug keeps heads at many more positions, and some of these may matter.",
        "closer in one order": "The positions that the bug adds may favour one of the names.",
        "not closer in either order": "A mistake need not make the result better.",
    },
    "5.q": {
        "the first name": "Information about it would be missing where the name movers read.",
        "the second name": "A head there can attend to the first name, and write information about it.",
        "S1+1": "A previous-token head would write here. This model has shown no need of it.",
        "S2": "Duplicate-token and induction heads would write here.",
        "at none of these": "Then the missing heads would be in later layers, or at END.",
    },
    "5.r": {
        "less than twice as much": "Then the search would find nothing much worse than random subsets.",
        "two to four times as much": "A search finds subsets that a few random draws miss.",
        "more than four times as much": "Then hardly any random subset would hold a head that behaves differently in the circuit and in the model.",
    },
    "5.s": {
        "all of them": "With the others gone the stream is shorter, so the final LayerNorm divides by less, and every output counts for more.",
        "more than half": "Some name movers may have a backup, and others may not.",
        "half of them or fewer": "Then name movers would help each other, or not interact.",
    },
    "5.t": {
        "the first half of the layers": "Little has been written at END by then, so the patch changes little.",
        "the second half of the layers": "Few layers follow, so the function looks nearly linear.",
        "equally near, within 0.5 logits": "The error would not depend on the layer.",
    },
    "5.u": {
        "IO once more": "Both names are then repeated. This is what misleads GPT-2 small.",
        "S once more": "One more mention could raise S.",
        "IO after S": "IO is then the name nearest to END, where S-inhibition looks for the subject.",
        "another one in ABBA than in BABA": "A variant also changes which name is the last one before the subject.",
    },
    "5.v": {
        "ABBA, where S is the second name": "Then the model would favour the first name.",
        "BABA, where IO is the second name": "Name movers that attend to the second name raise IO there.",
        "within 5 percentage points": "The order would not matter.",
    },
    "5.w": {
        "less than a quarter": "Then the errors would come from S-inhibition that attends elsewhere.",
        "a quarter to a half": "Then missing attention to S2 would explain most errors, not all.",
        "more than a half": "Then attention to S2 does not suffice: something after it fails.",
    },
    "5.x": {
        "both heads from the start": "More heads that learn could mean faster learning.",
        "the second head joins later": "The first head has a job by then, and leaves the other job to the second.",
        "both models": "Both have the same size, so both can represent the solution.",
        "neither model": "One layer has no head that could read another head's output.",
    },
    "5.y": {
        "none": "The task could be solved only in this way.",
        "one or two": "There are two ways to notice a repetition, and a model needs one of them.",
        "three or more": "A model can solve the task without noticing a repetition.",
    },
    "5.z": {
        "zeros": "The backup reads whether a name has been written. Zeros are no name.",
        "outputs on abc prompts": "They are names, too. The backup does not read which name it is.",
        "both": "Then the backup would respond to the loss of the right answer.",
        "neither": "Then no other head would copy a name.",
    },
}
