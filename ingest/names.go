package ingest

import "nudge"

// nameCache is one codec's own view of the process's table of names: looking a name up costs one map access and no allocation.
type nameCache struct {
	table *nudge.Names
	ids   map[string]nudge.NameID
	fixed map[string]nudge.NameID // the fields with a fixed meaning
}

func newNameCache(table *nudge.Names) nameCache {
	n := nameCache{table: table, ids: make(map[string]nudge.NameID), fixed: make(map[string]nudge.NameID)}
	for id := nudge.NameNone; id < nudge.FirstFreeName; id++ {
		if text := table.Text(id); text != "" && isNamed(id) {
			n.fixed[text] = id
		}
	}
	return n
}

// id returns the id of a name, giving it one if it is new, or NameOther if there is no room for one. Where the name is at fault, the error speaks of at.
func (n *nameCache) id(name string, at where) (nudge.NameID, *Error) {
	if id, ok := n.ids[name]; ok {
		return id, nil
	}
	if name == "" {
		return 0, refuse(CodeBadName, at, "holds a field without a name: give it one or leave it out")
	}
	if len(name) > nudge.MaxNameBytes {
		return 0, refuse(CodeTooLong, at, "is a name of %d bytes, the limit is %d: put varying text into values, not into names", len(name), nudge.MaxNameBytes)
	}
	id, ok := n.table.Meet(name)
	if !ok {
		return id, nil
	}
	if len(n.ids) >= maxCachedNames {
		clear(n.ids)
	}
	n.ids[n.table.Text(id)] = id // the table's own copy of the text
	return id, nil
}

// isNamed says whether a field has a fixed meaning: envelope, identity or page context.
func isNamed(id nudge.NameID) bool { return id >= nudge.NameID_ && id <= nudge.NameUTMContent }

// isPage says whether a field is page context. Only these are taken from props, too: a product's id is no message id, and a company typed
// into a form is nobody's employer.
func isPage(id nudge.NameID) bool { return id >= nudge.NameURL && id <= nudge.NameUTMContent }
