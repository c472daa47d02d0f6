package firestore

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc"

	"github.com/vigilhq/vigil/firestore/firestoretest"
	"github.com/vigilhq/vigil/internal/session/sessiontest"
)

// indexes are those of rules/firestore.indexes.json.
type indexes struct {
	Indexes []struct {
		CollectionGroup string
		Fields          []struct{ FieldPath, Order string }
	}
	FieldOverrides []struct {
		CollectionGroup, FieldPath string
		TTL                        bool
		Indexes                    []struct{ Order string }
	}
}

func readIndexes(t *testing.T) (x indexes) {
	t.Helper()
	data, err := os.ReadFile("../rules/firestore.indexes.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &x); err != nil {
		t.Fatal(err)
	}
	return x
}

// single reports whether a field has an index of its own in a direction.
func (x indexes) single(collection, field, order string) bool {
	for _, o := range x.FieldOverrides {
		if o.CollectionGroup == collection && (o.FieldPath == field || strings.HasPrefix(field, o.FieldPath+".")) {
			return slices.ContainsFunc(o.Indexes, func(i struct{ Order string }) bool { return i.Order == order })
		}
	}
	return true
}

// composite reports whether there is an index over the equalities, in any order, and then these fields in these directions.
func (x indexes) composite(collection string, equal, ordered []string) bool {
	for _, i := range x.Indexes {
		if i.CollectionGroup != collection || len(i.Fields) != len(equal)+len(ordered) {
			continue
		}
		var first, rest []string
		for n, f := range i.Fields {
			if n < len(equal) {
				first = append(first, f.FieldPath)
			} else {
				rest = append(rest, f.FieldPath+" "+f.Order)
			}
		}
		slices.Sort(first)
		if slices.Equal(first, equal) && slices.Equal(rest, ordered) {
			return true
		}
	}
	return false
}

// shape is what of a query decides on the indexes that it needs.
type shape struct {
	collection     string
	equal, ordered []string
}

func shapeOf(q *firestorepb.StructuredQuery) shape {
	s := shape{collection: q.GetFrom()[0].GetCollectionId()}
	filters := []*firestorepb.StructuredQuery_Filter{q.GetWhere()}
	if all := q.GetWhere().GetCompositeFilter(); all != nil {
		filters = all.GetFilters()
	}
	var unequal []string
	for _, f := range filters {
		if f := f.GetFieldFilter(); f.GetOp() == firestorepb.StructuredQuery_FieldFilter_EQUAL {
			s.equal = append(s.equal, f.GetField().GetFieldPath())
		} else if f != nil {
			unequal = append(unequal, f.GetField().GetFieldPath()+" ASCENDING")
		}
	}
	last := "ASCENDING"
	for _, o := range q.GetOrderBy() {
		last = o.GetDirection().String()
		s.ordered = append(s.ordered, o.GetField().GetFieldPath()+" "+last)
	}
	if n := len(s.ordered); n > 0 && s.ordered[n-1] == "__name__ "+last && (n > 1 || last == "ASCENDING") {
		s.ordered = s.ordered[:n-1] // every index ends with it, in the direction of the field before
	}
	if len(s.ordered) == 0 {
		s.ordered = unequal
	}
	slices.Sort(s.equal)
	return s
}

func (s shape) String() string { return fmt.Sprintf("%s: %v, %v", s.collection, s.equal, s.ordered) }

// served reports whether production can answer queries of this shape.
func (x indexes) served(s shape) bool {
	if len(s.equal)+len(s.ordered) <= 1 || len(s.ordered) == 0 {
		for _, field := range s.equal {
			if !x.single(s.collection, field, "ASCENDING") {
				return false
			}
		}
		for _, field := range s.ordered {
			name, order, _ := strings.Cut(field, " ")
			return x.single(s.collection, name, order)
		}
		return true
	}
	return x.composite(s.collection, s.equal, s.ordered)
}

// queries collects the shapes of the queries that go over a connection.
type queries struct {
	mu     sync.Mutex
	shapes map[string]shape
}

func (q *queries) intercept() grpc.DialOption {
	return grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		stream, err := open(ctx, desc, conn, method, opts...)
		return &observedStream{stream, q}, err
	})
}

type observedStream struct {
	grpc.ClientStream
	seen *queries
}

func (s *observedStream) SendMsg(message any) error {
	var q *firestorepb.StructuredQuery
	switch message := message.(type) {
	case *firestorepb.RunQueryRequest:
		q = message.GetStructuredQuery()
	case *firestorepb.RunAggregationQueryRequest:
		q = message.GetStructuredAggregationQuery().GetStructuredQuery()
	case *firestorepb.ListenRequest:
		q = message.GetAddTarget().GetQuery().GetStructuredQuery()
	}
	if q != nil {
		s.seen.mu.Lock()
		found := shapeOf(q)
		s.seen.shapes[found.String()] = found
		s.seen.mu.Unlock()
	}
	return s.ClientStream.SendMsg(message)
}

// TestIndexes has every query that the contract leads to served by an index, which the emulator does not ask for, and every
// composite index used by one.
func TestIndexes(t *testing.T) {
	seen := &queries{shapes: make(map[string]shape)}
	sessiontest.TestStore(t, func(t *testing.T) sessiontest.Backend {
		o := Options{ProjectID: firestoretest.ProjectID(t), EmulatorHost: firestoretest.Start(t), MailCollection: "mail"}
		return backend(t, func() (*Store, *Feed) {
			s := connect(t, o.EmulatorHost, o.ProjectID)
			client, err := dial(t.Context(), o, seen.intercept())
			if err != nil {
				t.Fatal(err)
			}
			_ = s.client.Close()
			s.client = client
			t.Cleanup(func() { _ = client.Close() })
			return s, s.Feed()
		})
	})
	x, used := readIndexes(t), 0
	for _, s := range seen.shapes {
		if s.collection != "mail" && !x.served(s) {
			t.Errorf("no index for %s", s)
		}
		if len(s.ordered) > 0 && x.composite(s.collection, s.equal, s.ordered) {
			used++
		}
	}
	if used != len(x.Indexes) {
		t.Errorf("%d of %d composite indexes are used by the queries\n%v", used, len(x.Indexes), seen.shapes)
	}
}
