package main

import (
	"context"
	"fmt"
	"net/http"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// health is the service that every gRPC client knows: what the application answers
// at / is told here in the header of a Check.
type health struct {
	healthpb.UnimplementedHealthServer
	application *application
}

// calls serves gRPC.
func (a *application) calls() http.Handler {
	server := grpc.NewServer()
	healthpb.RegisterHealthServer(server, health{application: a})
	return server
}

// Check says who answers, or fails as / does. The service that is asked for is a sibling
// component, which is asked in turn; "" is none.
func (h health) Check(ctx context.Context, request *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	a := h.application
	served := a.served.Add(1)
	who := metadata.Pairs(headerVersion, a.identity.Version, headerRelease, a.identity.Release, headerPod, a.identity.Pod)
	if err := grpc.SetHeader(ctx, who); err != nil {
		return nil, fmt.Errorf("say who answers: %w", err)
	}
	if a.faults.answersError(served) {
		return nil, status.Errorf(codes.Internal, "broken since request %d", a.faults.failAfter)
	}
	if sibling := request.GetService(); sibling != "" {
		if _, err := a.callSibling(ctx, sibling); err != nil {
			return nil, status.Error(codes.Unavailable, err.Error())
		}
	}
	return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}, nil
}
