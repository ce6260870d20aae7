"""Learning from judgements: new Gaussians, calibration and map, the same encoder.

**Gaussians.** Judged photos add to the sums of the tags that people accepted and to
the rests of those they rejected, each photo with a weight; the formulas are in
`lablr.latent_space.feedback_statistics`. A bundle keeps these sums apart from its
corpus's. So learning again replaces what was learned before by what the judgements say
now: learning twice is learning once, and a judgement that was taken back is forgotten.

**Cross-fitting.** What has entered a Gaussian cannot judge it. So each judged photo
is scored by Gaussians that learned from the others: photos belong to four parts by a
hash of their names, and the sums without a part are the sums less the part's. Figures
"before" are those of the corpus alone, "after" those of cross-fitting.

**Calibration.** The slope a_t and the intercept b_t of the corpus are drawn toward
what the cross-fitted ratios of the judged photos say. People judge some photos and
not others, which says nothing of how frequent a tag is; so the prior first takes back
what they did to the prior odds::

    (a_t, b_t + a_t (log n_t/n_rest before - log n_t/n_rest after))

Only what was *asked* counts: decisions that were made whatever the answer. When "none
of these is right" decides five tags and "the first is right" decides one, the other
four are decided only where they are wrong, and would teach that they always are.

**New tags** are those that people typed for five photos or more. Nobody was asked
about them yet, so their slope and intercept are the medians of the others'.

**Better or worse.** A figure is worse when it is so by more than two standard errors
of the difference; ``lablr learn`` then writes nothing. The bundle that a new one
takes the place of is kept beside it.
"""

from __future__ import annotations

from lablr.annotation.update.judgement import (
    Judgement,
    encode_judgements,
    judged_photos,
)
from lablr.annotation.update.keeping import previous_folder, save_learned, undo
from lablr.annotation.update.photos import JudgedPhotos
from lablr.annotation.update.report import Comparison, LearningReport, TagLesson
from lablr.annotation.update.update import DEFAULT_WEIGHT, Update, learn
from lablr.annotation.update.validation import judged_on_validation

__all__ = [
    "DEFAULT_WEIGHT",
    "Comparison",
    "JudgedPhotos",
    "Judgement",
    "LearningReport",
    "TagLesson",
    "Update",
    "encode_judgements",
    "judged_on_validation",
    "judged_photos",
    "learn",
    "previous_folder",
    "save_learned",
    "undo",
]
