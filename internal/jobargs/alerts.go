package jobargs

// RaiseAlerts looks at what an evaluation found, and raises the alerts that follow from it.
type RaiseAlerts struct {
	EvaluationID int64 `json:"evaluation_id"`
}

// Kind implements river.JobArgs.
func (RaiseAlerts) Kind() string { return "raise_alerts" }

// WatchAlerts looks for runs that are missing, and tells again of alerts that were put off for long enough.
type WatchAlerts struct{}

// Kind implements river.JobArgs.
func (WatchAlerts) Kind() string { return "watch_alerts" }

// SendAlert sends one alert, or what one run came to, to one channel.
type SendAlert struct {
	AlertID      int64 `json:"alert_id,omitempty"`
	EvaluationID int64 `json:"evaluation_id,omitempty"`
	ChannelID    int64 `json:"channel_id"`
}

// Kind implements river.JobArgs.
func (SendAlert) Kind() string { return "send_alert" }

// RunSchedules starts the evaluations that are due by the clock.
type RunSchedules struct{}

// Kind implements river.JobArgs.
func (RunSchedules) Kind() string { return "run_schedules" }

// RunSchedule starts the evaluation of a schedule, after a release of one of its models.
type RunSchedule struct {
	ScheduleID     int64 `json:"schedule_id"`
	ModelVersionID int64 `json:"model_version_id"`
}

// Kind implements river.JobArgs.
func (RunSchedule) Kind() string { return "run_schedule" }
