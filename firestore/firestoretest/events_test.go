package firestoretest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/googleapis/google-cloudevents-go/cloud/firestoredata"
	"google.golang.org/protobuf/proto"
)

// What the emulator sends arrives as the event that it is meant to be, and again while it is not acknowledged.
func TestEvents(t *testing.T) {
	type arrival struct {
		id, kind, contentType, uid string
		err                        error
	}
	arrived := make(chan arrival, 10)
	var refused atomic.Bool
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var data firestoredata.DocumentEventData
		e, err := cehttp.NewEventFromHTTPRequest(r)
		if err == nil {
			err = e.Validate()
		}
		if err == nil {
			err = proto.Unmarshal(e.Data(), &data)
		}
		if err != nil {
			arrived <- arrival{err: err}
			return
		}
		if !refused.Swap(true) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		arrived <- arrival{e.ID(), e.Type(), e.DataContentType(), data.GetValue().GetFields()["userId"].GetStringValue(), nil}
	}))
	defer target.Close()
	e, project := NewEvents(t), ProjectID(t)
	e.Subscribe(t, project, "sessionUsers/{uid}", target.URL)
	for _, collection := range []string{"others", "sessionUsers"} {
		path := "http://" + e.Host() + "/v1/projects/" + project + "/databases/(default)/documents/" + collection
		header := http.Header{"Authorization": {"Bearer owner"}, "Content-Type": {"application/json"}}
		status, err := post(t.Context(), path, header, []byte(`{"fields":{"userId":{"stringValue":"ana"}}}`))
		if err != nil || status != http.StatusOK {
			t.Fatalf("%d, %v", status, err)
		}
	}
	first, second := <-arrived, <-arrived
	if first != second || first.kind != "google.cloud.firestore.document.v1.written" || first.contentType != "application/protobuf" || first.uid != "ana" {
		t.Errorf("arrived: %+v, %+v", first, second)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for len(e.Delivered()) == 0 {
		<-tick.C
	}
	event := e.Delivered()[0]
	if event.ID != first.id || strings.Contains(event.Header.Get("Ce-Datacontenttype"), "/") {
		t.Errorf("delivered: %+v", event)
	}
	if status := Redeliver(t, target.URL, event); status != http.StatusOK || <-arrived != first {
		t.Errorf("delivered again: %d", status)
	}
}
