package listing

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Moment is a timestamp as a column's value: NULL if absent.
func Moment(stamp *timestamppb.Timestamp) any {
	if stamp == nil {
		return nil
	}
	return stamp.AsTime()
}

// Length is a duration as a column's value: 0 if absent, as FlyteAdmin stores it.
func Length(duration *durationpb.Duration) any {
	if duration == nil {
		return time.Duration(0)
	}
	return duration.AsDuration()
}

// Text is a string as a column's value: NULL unless it is set.
func Text(set bool, text string) any {
	if !set {
		return nil
	}
	return text
}
