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
package agreement
