package functions

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/googleapis/google-cloudevents-go/cloud/firestoredata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/vigilhq/vigil/internal/session"
)

// revocation is OnRevocation, for writes of documents of sessionUsers. The event comes while the instance that has written is normally
// still at work, so the domain waits until that has had its time; whoever deploys has to allow for it.
type revocation struct {
	log      *slog.Logger
	registry Registry
}

func (f *revocation) on(ctx context.Context, e event.Event) error {
	if !strings.HasPrefix(e.Type(), "google.cloud.firestore.document.v1.") {
		f.log.WarnContext(ctx, "an event of another type is passed over", "type", e.Type(), "event", e.ID())
		return nil
	}
	data, err := documentData(e)
	if err != nil {
		return fmt.Errorf("%w: event %s: %w", errUnreadable, e.ID(), err)
	}
	// The document's own name may be a hash.
	fields := data.GetValue().GetFields()
	uid := session.UserID(fields["userId"].GetStringValue())
	if !fields["tokensPending"].GetBooleanValue() || !uid.Valid() {
		return nil
	}
	if err := f.registry.FinishRevocation(ctx, uid); err != nil {
		f.log.WarnContext(ctx, "a revocation is not finished yet", "user", uid, "event", e.ID(), "error", err)
		return errNotDone
	}
	return nil
}

// documentData reads the data of an event of Firestore's in either of the forms that Eventarc delivers.
func documentData(e event.Event) (*firestoredata.DocumentEventData, error) {
	data := new(firestoredata.DocumentEventData)
	if strings.HasPrefix(e.DataContentType(), "application/json") {
		return data, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(e.Data(), data)
	}
	return data, proto.Unmarshal(e.Data(), data)
}
