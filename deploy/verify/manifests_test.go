package verify

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// TestManifests builds both overlays as `kubectl apply -k` would and decodes
// the results strictly: a field that the API does not know is an error.
func TestManifests(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		overlay     string
		hostNetwork bool
		kinds       string
	}{
		{"host-network", true, "Namespace ServiceAccount ConfigMap DaemonSet"},
		{"pod-network", false, "Namespace ServiceAccount ConfigMap DaemonSet Secret Secret Service NetworkPolicy ServiceMonitor"},
	} {
		t.Run(tt.overlay, func(t *testing.T) {
			built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), absolute(t, "deploy/kubernetes/"+tt.overlay))
			if err != nil {
				t.Fatal(err)
			}
			missing := strings.Fields(tt.kinds)
			for _, resource := range built.Resources() {
				text, err := resource.AsYAML()
				if err != nil {
					t.Fatal(err)
				}
				object := objectOf(resource.GetKind())
				if object == nil {
					t.Fatalf("%s is not expected", resource.GetKind())
				}
				if err := yaml.UnmarshalStrict(text, object); err != nil {
					t.Errorf("%s: %v", resource.GetKind(), err)
				}
				if set, ok := object.(*apps.DaemonSet); ok {
					daemonSetIsConfined(t, set, tt.hostNetwork)
				}
				missing = without(missing, resource.GetKind())
			}
			if len(missing) > 0 {
				t.Errorf("not there: %v", missing)
			}
		})
	}
}

// TestManifestNames builds each overlay with a prefix and a suffix for all names:
// what names another object still names it.
func TestManifestNames(t *testing.T) {
	t.Parallel()
	for _, overlay := range []string{"host-network", "pod-network"} {
		t.Run(overlay, func(t *testing.T) {
			folder := t.TempDir()
			base, err := filepath.Rel(folder, absolute(t, "deploy/kubernetes/"+overlay))
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(folder, "kustomization.yaml"), "namePrefix: edge-\nnameSuffix: -one\nresources: ["+base+"]\n", 0o644)
			built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
			if err != nil {
				t.Fatal(err)
			}
			there, named := map[string]bool{}, []string{}
			for _, resource := range built.Resources() {
				there[resource.GetKind()+" "+resource.GetName()] = true
				text, err := resource.AsYAML()
				if err != nil {
					t.Fatal(err)
				}
				object := objectOf(resource.GetKind())
				if err := yaml.UnmarshalStrict(text, object); err != nil {
					t.Fatal(err)
				}
				named = append(named, namedBy(object)...)
			}
			for _, name := range named {
				// Without credentials there is no Secret; the reference is optional.
				if !there[name] && !(overlay == "host-network" && name == "Secret probe-agent") {
					t.Errorf("%s is named and not there", name)
				}
			}
		})
	}
}

// namedBy returns the kinds and names of the objects that an object refers to.
func namedBy(object any) []string {
	var names []string
	switch object := object.(type) {
	case *apps.DaemonSet:
		pod := object.Spec.Template.Spec
		names = append(names, "ServiceAccount "+pod.ServiceAccountName)
		for _, volume := range pod.Volumes {
			names = append(names, "ConfigMap "+volume.ConfigMap.Name)
		}
		for _, from := range pod.Containers[0].EnvFrom {
			names = append(names, "Secret "+from.SecretRef.Name)
		}
	case *serviceMonitor:
		for _, endpoint := range object.Spec.Endpoints {
			names = append(names, "Secret "+endpoint.Authorization.Credentials.Name)
		}
	}
	return names
}

func objectOf(kind string) any {
	switch kind {
	case "Namespace":
		return new(core.Namespace)
	case "ServiceAccount":
		return new(core.ServiceAccount)
	case "ConfigMap":
		return new(core.ConfigMap)
	case "DaemonSet":
		return new(apps.DaemonSet)
	case "Secret":
		return new(core.Secret)
	case "Service":
		return new(core.Service)
	case "NetworkPolicy":
		return new(networking.NetworkPolicy)
	case "ServiceMonitor":
		return new(serviceMonitor)
	}
	return nil
}

// serviceMonitor has the fields of the Prometheus Operator's ServiceMonitor that
// are in use here. The operator's own module is a large one for one object.
type serviceMonitor struct {
	meta.TypeMeta   `json:",inline"`
	meta.ObjectMeta `json:"metadata"`
	Spec            struct {
		Selector  meta.LabelSelector `json:"selector"`
		Endpoints []struct {
			Port          string `json:"port"`
			Path          string `json:"path"`
			Interval      string `json:"interval"`
			Authorization struct {
				Credentials core.SecretKeySelector `json:"credentials"`
			} `json:"authorization"`
		} `json:"endpoints"`
	} `json:"spec"`
}

// without returns the words with one occurrence of word less.
func without(words []string, word string) []string {
	if at := slices.Index(words, word); at >= 0 {
		return slices.Delete(slices.Clone(words), at, at+1)
	}
	return words
}

func daemonSetIsConfined(t *testing.T, set *apps.DaemonSet, hostNetwork bool) {
	t.Helper()
	pod := set.Spec.Template.Spec
	if pod.HostNetwork != hostNetwork || len(pod.Containers) != 1 {
		t.Fatalf("host network %t, %d containers", pod.HostNetwork, len(pod.Containers))
	}
	for label, value := range set.Spec.Selector.MatchLabels {
		if set.Spec.Template.Labels[label] != value {
			t.Errorf("selector %s=%s selects no pod of its own", label, value)
		}
	}
	c := pod.Containers[0].SecurityContext
	if pod.SecurityContext.RunAsNonRoot == nil || !*pod.SecurityContext.RunAsNonRoot || c.ReadOnlyRootFilesystem == nil || !*c.ReadOnlyRootFilesystem {
		t.Error("it may be root, or write to its root file system")
	}
	if len(c.Capabilities.Drop) != 1 || c.Capabilities.Drop[0] != "ALL" || len(c.Capabilities.Add) != 1 || c.Capabilities.Add[0] != "NET_RAW" {
		t.Errorf("capabilities are %v without %v", c.Capabilities.Add, c.Capabilities.Drop)
	}
}
