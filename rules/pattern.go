package rules

import (
	"errors"
	"fmt"
	"regexp/syntax"
)

// patternProblem says what is wrong with a pattern in the words of who wrote it, and what to write instead.
func patternProblem(err error) (problem, fix string) {
	const re2 = "patterns are RE2: no look-around, no back-references"
	var e *syntax.Error
	if !errors.As(err, &e) {
		return err.Error(), re2
	}
	switch e.Code {
	case syntax.ErrMissingParen:
		return "a `(` is not closed", "close it with `)`, or write `\\(` for the sign itself"
	case syntax.ErrUnexpectedParen:
		return "a `)` closes nothing", "open it with `(`, or write `\\)` for the sign itself"
	case syntax.ErrMissingBracket:
		return "a `[` is not closed", "close it with `]`, or write `\\[` for the sign itself"
	case syntax.ErrMissingRepeatArgument:
		return fmt.Sprintf("there is nothing before `%s` that it could repeat", e.Expr), "`.*` is any text; `\\" + e.Expr + "` is the sign itself"
	case syntax.ErrInvalidRepeatOp:
		return fmt.Sprintf("`%s` repeats what is repeated already", e.Expr), "one of them is enough"
	case syntax.ErrInvalidRepeatSize:
		return fmt.Sprintf("`%s` repeats too often, or from more to less", e.Expr), "{2,5} is two to five times; 1000 are the most"
	case syntax.ErrInvalidCharRange:
		return fmt.Sprintf("`%s` is no range of characters", e.Expr), "the smaller one stands first, as in a-z; digits are [0-9] or [[:digit:]]"
	case syntax.ErrTrailingBackslash:
		return "a `\\` stands at its end", "write `\\\\` for the sign itself"
	case syntax.ErrInvalidEscape:
		return fmt.Sprintf("`%s` means nothing", e.Expr), "`\\.` is a dot, `\\d` a digit, `\\\\` the sign `\\` itself; there are no back-references"
	case syntax.ErrInvalidPerlOp:
		return fmt.Sprintf("`%s` is not known", e.Expr), re2
	}
	return fmt.Sprintf("%s: `%s`", e.Code, e.Expr), re2
}
