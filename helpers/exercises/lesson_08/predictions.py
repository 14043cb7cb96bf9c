"""What the reveal of each prediction of lesson 8 says of its options."""

EXPLANATIONS = {
    "8.a": {
        "fewer than 1 000": "It has 157 parts that write. But each of them reaches all later receivers.",
        "1 000 to 10 000": "Then a part would reach a few receivers, such as those of the next layer.",
        "10 000 to 100 000": "Parts times later receivers: the number grows with the square of the layers.",
        "more than 100 000": "It would be so if heads were split further, for instance by position.",
    },
    "8.b": {
        "q, what the head looks for": "The head needs its query. But a corruption shows only what it changes.",
        "k, what marks the token to copy": "The keys carry the previous token. Without them the head attends elsewhere.",
        "v, what is copied": "The value names the token, and it is needed, too. Compare the printed effects: its edge costs less than that of the key.",
    },
    "8.c": {
        "all ten": "Then the slope at the clean prompt would order all large steps rightly.",
        "seven to nine": "The strongest are found. The last of the ten are small, and their order is not certain.",
        "fewer than seven": "Then softmaxes would bend so much that slopes say little.",
    },
    "8.d": {
        "too large": "A slope is too large where the curve flattens along the step.",
        "about as large (within a tenth)": "Then the softmax would be nearly linear along the step.",
        "a tenth to nine tenths": "Then the softmax would be a little saturated.",
        "less than a tenth": "Attention near 1 has almost no slope. A large step still moves it.",
    },
    "8.e": {
        "embedding → 0.0.v": "Both paths begin here, and their slopes cancel.",
        "0.0 → 1.0.q": "This edge is on one of the two paths, so nothing cancels.",
        "0.0 → logits": "The logits are linear in this edge: its score is exact.",
        "none of them": "Then the slopes of the two paths would not cancel.",
    },
    "8.f": {
        "none": "Then more slopes would not help.",
        "one": "Then slopes along the way would help in a single case.",
        "two": "Then one of the failures would have another reason than the place of the slope.",
        "all three": "All three happen at the clean prompt. The way to the corrupted one leaves it.",
    },
    "8.g": {
        "up to 10": "So it is for a soft model.",
        "11 to 100": "So it is at sharpness 20.",
        "101 to 500": "Then a step would be as short as the switch.",
        "more than 500": "The switch takes a tiny piece of the way. Even numbers of points miss it, odd ones hit it once and count it too much.",
    },
    "8.h": {
        "exact and EAP-IG": "So it was when the first copy alone was replaced.",
        "only exact": "A single patched key no longer matches. On the way of EAP-IG both sides move together.",
        "only EAP-IG": "So it is for an OR. Here no other edge replaces this one.",
        "neither": "Then the edge would not be needed. But the head finds its token by this key.",
    },
    "8.i": {
        "0.0, visited last": "Without the other branch it carries the whole answer, so removing it costs too much.",
        "0.1, visited first": "At its visit the other branch is still there and suffices, so removing it costs nothing.",
        "both": "Each would have to cost something while the other is there. In a softer OR each does.",
        "neither": "Once one branch is gone, removing the other costs the whole answer.",
    },
    "8.j": {
        "less than 0.1 logits": "The threshold bounds what one edge may cost, not what all of them cost together.",
        "0.1 to 0.3 logits": "Then most edges that are removed would cost nearly nothing.",
        "more than 0.3 logits": "Many edges are removed, each below the threshold. Their costs add up.",
    },
    "8.k": {
        "exact effects": "Where two heads do one job, removing an edge of one of them has no effect.",
        "EAP": "A saturated softmax has no slope, and a gradient is a slope.",
        "EAP-IG": "Its steps cross the region where the softmax has a slope. The sharper it is, the narrower this region.",
        "pruning": "It needs no slope, and it finds one of several redundant branches.",
    },
    "8.l": {
        "yes: the largest difference is below 0.1": "Then nothing outside of the circuit could take over for one of its edges.",
        "partly: it is between 0.1 and 0.5": "Then what is outside could do a part of the work.",
        "no: it is above 0.5": "Pruning removed the second branch. In the full model this branch takes over, in the circuit nothing does.",
    },
    "8.m": {
        "up to 1 % of all edges": "Then each job would be done by a few edges. But several name movers share one job, and each reads several heads.",
        "1 % to 5 %": "A few dozen edges: from the names to S-inhibition, from there to the name movers, and on to the logits.",
        "more than 5 %": "Then the behaviour would be spread over many weak edges.",
    },
    "8.n": {
        "lower by more than 0.15": "Then a part of the ranking would fit the prompts on which it was measured.",
        "about as faithful (within 0.15)": "The words change, but the model seems to find IO in the same way.",
        "higher by more than 0.15": "Then the held-out templates would need fewer edges than those chosen on.",
    },
    "8.o": {
        "none": "Then the attention scores would have named every head that this circuit needs.",
        "one": "Lesson 4 found it by cutting paths: it writes to the keys of the induction head.",
        "two or more": "Then attention on repeated tokens would name the smaller part of the circuit.",
    },
    "8.p": {
        "in none": "An edge that helps in one order and hurts in the other has a mean near 0, and is left out.",
        "in one or two": "Then it would depend on the prompts whether such edges matter.",
        "in all three": "Then each edge would do about the same in both orders.",
    },
    "8.q": {
        "fewer than half": "Then the measures of lesson 5 would name heads that act on other prompts.",
        "half or more, but not all": "A head may have its role by attention, and still change little.",
        "all of them": "Each of them changes the logit difference, in one order at least.",
    },
    "8.r": {
        "in the first layer": "It reads tokens and positions only, and all later layers can read it.",
        "after it, up to the name movers' layer": "Heads there could steer the name movers, as S-inhibition does.",
        "after all name movers": "Such heads can read what the name movers wrote, and answer it.",
    },
    "8.s": {
        "among the strongest by EAP": "Strong edges stand out, so their order could be easy to tell.",
        "among random edges": "Their changes are tiny, and a gradient is exact for tiny changes.",
        "about equally, within 0.05": "Then the size of a change would not matter to the estimate.",
    },
    "8.u": {
        "one": "So it would be if the heads did all the work after the first layer.",
        "two or three": "All later layers read what the first one writes. The last ones change what the name movers wrote.",
        "four or more": "Then most MLPs would take part. But the jobs of this behaviour belong to heads.",
    },
    "8.v": {
        "more than 0.8": "Then the dictionary would hold for text of any kind.",
        "0.3 to 0.8": "Frequent words are in the stories, too. Words and contexts that are not have no features.",
        "less than 0.3": "Then hardly any feature would be of use outside the stories.",
    },
    "8.w": {
        "less than a tenth": "The error is a small part of the variance. That says nothing about its direction.",
        "a tenth to a half": "Then the error would be a minor node of the graph.",
        "more than a half": "Features of opposite effects cancel, and a small vector may have a large effect.",
    },
    "8.x": {
        "about the measured fall (within a quarter)": "Then the model would be nearly linear over so large a step.",
        "too small a fall": "The attribution is a slope at one point. The effect of a large step need not follow it.",
        "too large a fall": "Then the model would make up for a part of what is removed.",
    },
}
