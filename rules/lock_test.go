package rules

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestLocks says who can hold off the server's write of a session's document on the emulator, by reading it in a transaction
// that stays open: whoever is signed in and names the document, even where rules then deny. The emulator reads it, and locks it,
// unless they are false before they need any document, this one or the caller's session.
func TestLocks(t *testing.T) {
	t.Parallel()
	p := open(t, read(t, "firestore.rules"))
	tokenOf := map[string]func(victim device) map[string]any{
		"nobody":   func(device) map[string]any { return nil },
		"stranger": func(d device) map[string]any { return map[string]any{"sub": "s", "user_id": "s", "auth_time": 1} },
		"ended": func(d device) map[string]any {
			over := p.device(t, "over-"+d.id, "", time.Hour)
			p.write(t, "activeSessions/"+over.id, fields{"status": "ended"})
			return over.token
		},
		"other": func(d device) map[string]any { return p.device(t, "other-"+d.id, "", time.Hour).token },
		"owner": func(d device) map[string]any { return d.token },
	}
	for i, c := range []struct {
		caller, how string
		locks       bool
	}{
		{"nobody", "get", false}, {"stranger", "get", true}, {"ended", "get", true}, {"other", "get", true}, {"owner", "get", true},
		{"nobody", "query", false}, {"stranger", "query", false}, {"ended", "query", false}, {"other", "query", false},
		{"owner", "query", true}, {"owner", "group", false}, {"owner", "get what no rule allows", false},
		{"nobody", "write", false}, {"stranger", "write", false}, {"owner", "write", false},
	} {
		t.Run(c.caller+" "+c.how, func(t *testing.T) {
			t.Parallel()
			victim := p.device(t, fmt.Sprint("ana", i), "one", time.Hour)
			path := "activeSessions/" + victim.id
			if c.how == "get what no rule allows" {
				path = "sessionUsers/" + victim.id
			}
			x := p.transaction(t, tokenOf[c.caller](victim))
			allowed := c.caller == "owner" && (c.how == "get" || c.how == "query")
			if err := x.try(t, c.how, path, fmt.Sprint("ana", i)); allowed != (err == nil) {
				t.Fatalf("the caller: %v", err)
			}
			wait := patience // longer than the emulator lets a write wait for a lock
			if c.locks {
				wait = 300 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			defer cancel()
			if _, err := p.Doc(path).Set(ctx, fields{"status": "ended"}); c.locks != (err != nil) {
				t.Errorf("the server's write: %v; want it held off: %t", err, c.locks)
			}
			x.rollBack(t)
			p.write(t, path, fields{"status": "ended"})
		})
	}
}

// A transaction is one that a caller has open.
type transaction struct {
	pb.FirestoreClient
	ctx      context.Context //nolint:containedctx // the caller's token
	database string
	id       []byte
}

func (p project) transaction(t *testing.T, token map[string]any) transaction {
	t.Helper()
	conn, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	x := transaction{pb.NewFirestoreClient(conn), as(t.Context(), token), "projects/" + p.id + "/databases/(default)", nil}
	begun, err := x.BeginTransaction(x.ctx, &pb.BeginTransactionRequest{Database: x.database})
	if err != nil {
		t.Fatal(err)
	}
	x.id = begun.Transaction
	return x
}

func (x transaction) rollBack(t *testing.T) {
	t.Helper()
	if _, err := x.Rollback(x.ctx, &pb.RollbackRequest{Database: x.database, Transaction: x.id}); err != nil {
		t.Error(err)
	}
}

// try gets a document, or asks for the sessions of a user, or writes what nobody may, and returns what denies it.
func (x transaction) try(t *testing.T, how, path, uid string) error {
	t.Helper()
	var next func() error
	switch how {
	case "write":
		next = func() error {
			_, err := x.Commit(x.ctx, &pb.CommitRequest{Database: x.database, Transaction: x.id, Writes: []*pb.Write{
				{Operation: &pb.Write_Delete{Delete: x.database + "/documents/" + path}},
			}})
			return err
		}
	case "query", "group":
		answer, err := x.RunQuery(x.ctx, &pb.RunQueryRequest{
			Parent:              x.database + "/documents",
			QueryType:           &pb.RunQueryRequest_StructuredQuery{StructuredQuery: sessionsOf(uid, how == "group")},
			ConsistencySelector: &pb.RunQueryRequest_Transaction{Transaction: x.id},
		})
		if err != nil {
			t.Fatal(err)
		}
		next = func() error { _, err := answer.Recv(); return err }
	default:
		answer, err := x.BatchGetDocuments(x.ctx, &pb.BatchGetDocumentsRequest{
			Database: x.database, Documents: []string{x.database + "/documents/" + path},
			ConsistencySelector: &pb.BatchGetDocumentsRequest_Transaction{Transaction: x.id},
		})
		if err != nil {
			t.Fatal(err)
		}
		next = func() error { _, err := answer.Recv(); return err }
	}
	for {
		switch err := next(); {
		case errors.Is(err, io.EOF):
			return nil
		case status.Code(err) == codes.PermissionDenied:
			return err
		case err != nil:
			t.Fatal(err)
		}
	}
}

// sessionsOf asks for a user's, of one collection or of all of the name.
func sessionsOf(uid string, everywhere bool) *pb.StructuredQuery {
	return &pb.StructuredQuery{
		From: []*pb.StructuredQuery_CollectionSelector{{CollectionId: "activeSessions", AllDescendants: everywhere}},
		Where: &pb.StructuredQuery_Filter{FilterType: &pb.StructuredQuery_Filter_FieldFilter{
			FieldFilter: &pb.StructuredQuery_FieldFilter{
				Field: &pb.StructuredQuery_FieldReference{FieldPath: "userId"}, Op: pb.StructuredQuery_FieldFilter_EQUAL,
				Value: &pb.Value{ValueType: &pb.Value_StringValue{StringValue: uid}},
			},
		}},
	}
}
