"""What the reveal of each prediction of lesson 6 says of its options."""

EXPLANATIONS = {
    "6.a": {
        "attention, in every layer": "Attention moves information between positions. An MLP only transforms what one position has.",
        "the MLP, in every layer": "The MLPs hold many of the parameters. But a head is needed to fetch a name.",
        "it depends on the layer": "Layers do different jobs. Compare the two curves layer by layer.",
    },
    "6.b": {
        "1 or 2": "Then an MLP would look up one entry. Are all other outputs so small?",
        "5 to 50": "A few tens of outputs that share a direction can make half of the sum.",
        "100 or more": "Then the output would be spread over a large part of the layer.",
    },
    "6.c": {
        "fewer than 2": "A value may be read by later layers. Then its row of logits says little.",
        "2 to 5": "Some neurons predict a token. Do the others pull the mean down?",
        "more than 5": "This is how neurons look in papers, where they were selected.",
    },
    "6.d": {
        "none": "A random neuron need not predict a token. Most of the agreements above are near 0.",
        "1 or 2": "Frequent continuations can agree without being what the neuron is for.",
        "3 or more": "A neuron that is selected for its agreement looks like this.",
    },
    "6.e": {
        "as much, within 0.1": "Then a look at ten contexts would describe the whole neuron.",
        "less, but more than for random numbers": "The label was chosen on the top contexts, so it flatters them. It can still hold elsewhere.",
        "no more than for random numbers": "Then the labels would be luck. The printed baseline decides.",
    },
    "6.f": {
        "mostly opposed": "Opposed neurons are the kind that Elhage et al. discuss: they could erase.",
        "mostly aligned": "An aligned neuron adds more of what it detects: it strengthens instead of erasing.",
        "both kinds, within a factor of 2": "A neuron could as well strengthen as erase what it detects.",
        "neither": "Then keys and values would be as unrelated as those of two different neurons.",
    },
    "6.g": {
        "all 20": "The weights say so. But a key reads other directions, too.",
        "11 to 19": "The weights point to erasing. What else a key reads can hide this on text.",
        "10 or fewer": "Then the cosine of the weights would not show what a neuron does on text.",
    },
    "6.h": {
        "dense 5, sparse 5": "Five arrows fit into a plane. But dense features disturb each other in every row.",
        "dense 2, sparse 5": "Interference costs most when two features are present together, and this is rare here.",
        "dense 2, sparse 2": "A plane has two orthogonal directions. Does the read-out need orthogonal ones?",
        "other numbers": "Three or four features per plane also occur, at densities in between.",
    },
    "6.i": {
        "it grows": "More features are represented. But each one gets less.",
        "it stays within 0.1 of 2": "The plane has two dimensions. More features share them.",
        "it falls": "Interference wastes capacity. Is any part of the plane left unused?",
    },
    "6.j": {
        "with dropout": "In training it had to do without each dimension at times.",
        "without dropout": "It has the smaller loss before the ablation. But where does it keep a feature?",
        "no difference above 10 %": "With 16 dimensions for five features, both models could spread them.",
    },
    "6.k": {
        "it rises up to strength 4": "The direction pushes this logit. At large strength little else is left in the stream.",
        "it rises, then falls": "A strong push breaks the model. Does it also break the push?",
        "it less than doubles": "Later layers could compensate, as in self-repair.",
    },
    "6.l": {
        "less than a tenth as far": "A random direction has no meaning. Does that make it harmless?",
        "a tenth to half as far": "A long vector disturbs all later layers, whatever its direction.",
        "more than half as far": "Then the effect of the contrast pairs would be mostly an effect of length.",
    },
    "6.m": {
        "at a lower strength": "A meaningful direction changes predictions on purpose, on plain prose, too.",
        "at the same strength": "The norms are equal, so the damage could be, too.",
        "at a higher strength": "A real direction of the model could fit its later layers better than noise.",
    },
}
