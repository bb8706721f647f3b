// Package agreement finds out how far labelers agree.
//
// # From boxes to objects
//
// Match takes any number of answers to one item and says which of their boxes are one object. Boxes are compared whatever
// their class, so that a class confused is seen as one and not as two misses.
//
// Two boxes of different answers are a pair when their IoU reaches Limits.Pair. Within each pair of answers the optimal
// one-to-one assignment is taken (shortest augmenting paths: Jonker and Volgenant 1987; Crouse 2016), and objects are made
// from these pairs, the nearest first, so that
//
//   - no object ever holds two boxes of one answer, however boxes hang together through those of others;
//   - joining two groups must be worth it: the sum of IoU - Pair over all pairs of boxes between them is positive
//     (correlation clustering: Bansal, Blum and Chawla 2004). Boxes that drift apart along a chain do not become one;
//   - at the end one answer's boxes after another are assigned anew to what the others make, optimally again, as long as
//     that is better.
//
// For two answers that is the optimum; for more it nearly always is (a test tries all clusterings). Where geometry leaves it nearly open (0.05 of IoU), the same class decides; where
// it leaves it quite open, the boxes' own numbers do, never their indices: the answers and the boxes in them are put into the order
// of their content first, so nothing can depend on the order in which they came.
//
// A box that holds (Limits.Coverage of their area) two or more separate boxes of another answer, is for each of them the nearest
// of its own answer, and fits none of that answer's boxes (IoU 0.5), is one wide box over several objects. It is an object by
// itself, with the boxes inside as Parts, and they have it as Wide: nobody missed anything, something needs splitting.
// Nested defects that both labelers drew, inner and outer, are no such thing.
//
// Crowd boxes stand for any number of objects. They are matched with crowd boxes only; over another answer's single boxes a
// crowd box is a wide box from the first one on, so a reviewer looks at it, and it counts as one disagreement.
//
// Boxes without an area match where they are the same. An answer without boxes is an answer: it misses what the others have.
//
// # From objects to measures
//
// Each object is a unit on which each answer votes: for the class of its box, or for NoBox where it has none. An answer with a
// wide box over an object has no vote on it, and the wide box is a unit of its own, on which those with boxes inside vote
// NoBox: so it counts as one disagreement, as it does in an item's Score (panoptic quality: Kirillov et al. 2019; see Match).
//
// Alpha is Krippendorff's (Computing Krippendorff's alpha-reliability, 2011), FleissKappa and CohenKappa are theirs (1971, 1960);
// over more than two labelers a Summary has the mean of Cohen's kappas (Light 1971). These compare votes beyond what chance
// would give; shares, confusions and the mean IoU do not. What two labelers reach together is measured on the objects
// that one of them has at least, so that it does not depend on what a third one saw. The agreement on one class is its
// proportion of specific agreement (Fleiss, Levin and Paik, Statistical methods for rates and proportions, 2003).
// The truth is compared with each answer by itself, and no answer's match with it depends on the others.
//
// DawidSkene (1979) weighs votes by how reliable each labeler turns out to be, class by class; a Summary says where that
// differs from the majority.
//
// Each figure over items has the middle 95 % of a percentile bootstrap (Efron and Tibshirani 1993) that draws whole items: votes on
// one item are not independent. A seed makes it repeatable. Every figure is a function of sums over items, so that a sample
// is only rows of numbers added up, and neither memory nor time grows without bound with the items; see tally.
package agreement
