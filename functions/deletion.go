package functions

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/vigilhq/vigil/internal/session"
)

// The types of events that say that an account was deleted: of the second generation, direct from Eventarc, and of the first.
const (
	deletedV2     = "google.firebase.auth.user.v2.deleted"
	deletedV1     = "google.firebase.auth.user.v1.deleted"
	deletedLegacy = "providers/firebase.auth/eventTypes/user.delete"
)

// deletion is OnUserDeleted.
type deletion struct {
	log      *slog.Logger
	registry Registry
	tenant   string
}

// account is what an event says about the account.
type account struct {
	UID      string `json:"uid"`
	TenantID string `json:"tenantId"`
}

func (f *deletion) on(ctx context.Context, e event.Event) error {
	if t := e.Type(); t != deletedV2 && t != deletedV1 {
		f.log.WarnContext(ctx, "an event of another type is passed over", "type", t, "event", e.ID())
		return nil
	}
	a, tenant, err := deletedAccount(e)
	uid := session.UserID(a)
	switch {
	case err != nil:
		return fmt.Errorf("%w: event %s: %w", errUnreadable, e.ID(), err)
	case tenant != "" && tenant != f.tenant:
		return nil
	case !uid.Valid():
		f.log.WarnContext(ctx, "an event without a user is passed over", "event", e.ID())
		return nil
	}
	if err := f.registry.UserDeleted(ctx, uid, e.ID()); err != nil {
		f.log.WarnContext(ctx, "a deleted account has not ended yet", "user", uid, "event", e.ID(), "error", err)
		return errNotDone
	}
	return nil
}

// deletedAccount reads whose account it was, and of which tenant. Events of the first generation are the account; those of the second
// have it under the name for what was. Where the data is not JSON, the subject says it.
func deletedAccount(e event.Event) (uid, tenant string, err error) {
	var data struct {
		account
		OldValue account `json:"oldValue"`
	}
	if strings.HasPrefix(e.DataContentType(), "application/json") {
		err = json.Unmarshal(e.Data(), &data)
	}
	subject, _ := strings.CutPrefix(e.Subject(), "users/")
	extension, _ := e.Extensions()["tenantid"].(string)
	return cmp.Or(data.OldValue.UID, data.UID, subject), cmp.Or(extension, data.OldValue.TenantID, data.TenantID), err
}

// isLegacy reports whether a request is what a function of the first generation is called with, which is no CloudEvent.
func isLegacy(header http.Header) bool {
	return header.Get("Ce-Id") == "" && !strings.Contains(header.Get("Content-Type"), "cloudevents")
}

// readLegacy reads an event of the first generation as the CloudEvent that the functions framework makes of it for a function that takes
// those. It is read here because the framework reads a body of any length, and logs the whole of one that it cannot read.
func readLegacy(body []byte) (event.Event, error) {
	type names struct {
		EventID   string `json:"eventId"`
		EventType string `json:"eventType"`
	}
	var legacy struct {
		names
		Context names           `json:"context"`
		Data    json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &legacy); err != nil {
		return event.Event{}, errUnreadable
	}
	id, kind := cmp.Or(legacy.Context.EventID, legacy.EventID), cmp.Or(legacy.Context.EventType, legacy.EventType)
	var a account
	if id == "" || kind != deletedLegacy || json.Unmarshal(legacy.Data, &a) != nil {
		return event.Event{}, errUnreadable
	}
	e := event.New()
	e.SetID(id)
	e.SetType(deletedV1)
	e.SetSource("//firebaseauth.googleapis.com/")
	e.SetSubject("users/" + a.UID)
	return e, e.SetData("application/json", []byte(legacy.Data))
}
