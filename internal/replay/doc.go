// Package replay runs events from files through an engine: `nudge replay`, and the bench of it.
//
// Its nouns: an input is a file, unpacked as its name says; a mapping says which CSV columns feed which fields; a block is a run of whole lines on its way from
// the reader to the engine; an item is one line of it.
//
// The order of operations in Run: one goroutine unpacks and cuts the files into blocks, some decode blocks into records, and the caller's goroutine stamps them
// and applies them in batches, in the order in which they were cut. Where a line is refused, what stands before it is applied before Run returns.
//
// Two things here decide answers: the clock (clock.go), which gives each line its log time, and the order of the blocks (pipeline.go). Both are functions of
// the input alone (I2). Every queue between the goroutines is bounded (I8).
//
// It prints nothing: what fires goes to Options.Emit.
package replay
