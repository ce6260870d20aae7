"""Update a bundle from annotations: Gaussians, calibration and map, not the encoder.

::

    annotated_photos   what people agree on, beside the latents of their photos
    corpus_model       the sums and the calibration of the corpus, to start from
    cross_fitting      each photo scored by Gaussians that learned from the others
    report             the changes tag by tag, and the figures before and after
    learned_bundle     joins them; saves the bundle and undoes that

**Gaussians.** Annotated photos add to the sums of the tags that people accepted and to
the rests of those they rejected, each photo with a weight; the formulas are in
`lablr.latent_space.feedback_statistics`. A bundle keeps these sums apart from its
corpus's. So learning again replaces what was learned before by what the annotations say
now: learning twice is learning once, and one that was taken back is forgotten.

**Cross-fitting.** A photo cannot test a Gaussian that it has entered. So each is
scored by Gaussians that learned from the others: photos belong to five parts by a
hash of their names, and the sums without a part are the sums less the part's. Figures
"before" are those of the corpus alone, "after" those of cross-fitting.

**Calibration.** The slope a_t and the intercept b_t of the corpus are drawn toward
what the cross-fitted ratios of the annotated photos say. People annotate some photos
and not others, which says nothing about how frequent a tag is; so the prior first
takes back what that did to the prior odds::

    (a_t, b_t + a_t (log n_t/n_rest before - log n_t/n_rest after))

Only decisions that were *asked* for count: those made whatever the answer. When "none
of these is right" decides five tags and "the first is right" decides one, the other
four are decided only where they are wrong, and would teach that they always are.

**New tags** are those that people typed for five photos or more. Nobody was asked
about them yet, so their slope and intercept are the medians of the others'.

**Better or worse.** A figure is worse when it falls by more than two standard errors
of the difference; ``lablr learn`` then writes nothing. A bundle that is replaced is
kept beside the new one.
"""
