package charts

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// scaledObject has those fields of KEDA's ScaledObject that the chart uses. See
// https://keda.sh/docs/latest/reference/scaledobject-spec/.
type scaledObject struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec struct {
		ScaleTargetRef struct {
			Name string `json:"name"`
		} `json:"scaleTargetRef"`
		MinReplicaCount int32         `json:"minReplicaCount"`
		MaxReplicaCount int32         `json:"maxReplicaCount"`
		PollingInterval int32         `json:"pollingInterval"`
		CooldownPeriod  int32         `json:"cooldownPeriod"`
		Triggers        []kedaTrigger `json:"triggers"`
	} `json:"spec"`
}

type kedaTrigger struct {
	Type              string            `json:"type"`
	Metadata          map[string]string `json:"metadata"`
	AuthenticationRef struct {
		Name string `json:"name"`
	} `json:"authenticationRef"`
}

// triggerAuthentication has those fields of KEDA's TriggerAuthentication that the chart uses. See
// https://keda.sh/docs/latest/concepts/authentication/.
type triggerAuthentication struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec struct {
		PodIdentity *struct {
			Provider      string `json:"provider"`
			IdentityOwner string `json:"identityOwner"`
		} `json:"podIdentity"`
		SecretTargetRef []struct {
			Parameter string `json:"parameter"`
			Name      string `json:"name"`
			Key       string `json:"key"`
		} `json:"secretTargetRef"`
	} `json:"spec"`
}

// kedaMetadata returns the keys that a trigger of a type accepts. See
// https://keda.sh/docs/latest/scalers/temporal/ and https://keda.sh/docs/latest/scalers/aws-sqs/.
func kedaMetadata() map[string][]string {
	return map[string][]string{
		"temporal": {
			"endpoint", "namespace", "taskQueue", "queueTypes", "targetQueueSize", "tlsServerName", "workerDeploymentName",
			"workerDeploymentBuildId",
		},
		"aws-sqs-queue": {"queueURL", "queueLength", "awsRegion", "awsEndpoint"},
	}
}

// kedaParameters returns the parameters of both scalers that a Secret can give.
func kedaParameters() []string {
	return []string{"apiKey", "cert", "key", "ca", "awsAccessKeyID", "awsSecretAccessKey"}
}
