package firestore

import (
	"context"
	"time"

	"cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc"
)

// readTime is the key, in the context of an aggregation, of the *time.Time that is set to the moment at which it has counted: Google's
// client keeps that to itself.
type readTime struct{}

// timed has read times told to those who ask for them.
func timed() grpc.DialOption {
	return grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn,
		method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		stream, err := open(ctx, desc, conn, method, opts...)
		at, asked := ctx.Value(readTime{}).(*time.Time)
		if err != nil || !asked {
			return stream, err
		}
		return &timedStream{ClientStream: stream, at: at}, nil
	})
}

type timedStream struct {
	grpc.ClientStream
	at *time.Time
}

// RecvMsg implements [grpc.ClientStream].
func (s *timedStream) RecvMsg(answer any) error {
	err := s.ClientStream.RecvMsg(answer)
	if counted, ok := answer.(*firestorepb.RunAggregationQueryResponse); err == nil && ok && counted.GetReadTime() != nil {
		*s.at = counted.GetReadTime().AsTime()
	}
	return err
}
