package firestore

import (
	"context"
	"math"
	"time"

	"cloud.google.com/go/firestore"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// reconnect makes the connection come back soon after Firestore does: gRPC's own delay grows to two minutes.
var reconnect = grpc.WithConnectParams(grpc.ConnectParams{
	Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
	MinConnectTimeout: callTimeout,
})

// heartbeat finds a connection that died without a word; the kernel alone would take a quarter of an hour.
var heartbeat = grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 10 * time.Second})

// dial builds the client. That for an emulator is built by hand, so that it does not depend on the environment and one
// process can have several. It gets no heartbeat: the emulator hangs up on whoever pings it. More options are for tests.
func dial(ctx context.Context, o Options, more ...grpc.DialOption) (*firestore.Client, error) {
	if o.EmulatorHost == "" {
		var options []option.ClientOption
		for _, each := range append(metered(o.Meter), timed(), reconnect, heartbeat) {
			options = append(options, option.WithGRPCDialOption(each))
		}
		return firestore.NewClient(ctx, o.ProjectID, options...)
	}
	conn, err := grpc.NewClient("passthrough:///"+o.EmulatorHost, append(append(more, metered(o.Meter)...), timed(), reconnect,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithPerRPCCredentials(owner{}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(math.MaxInt32)))...)
	if err != nil {
		return nil, err
	}
	return firestore.NewClient(ctx, o.ProjectID, option.WithGRPCConn(conn))
}

// owner is the credential with which an emulator skips its rules.
type owner struct{}

func (owner) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer owner"}, nil
}

func (owner) RequireTransportSecurity() bool { return false }
