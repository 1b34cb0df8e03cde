// Command verdicts says what GitOps tools make of resources. Each line of its input is a resource as JSON, and each line
// of its output has the health and the enabled actions of Argo CD, the status of kstatus, and that of Flux.
//
// Scripts run as those of argocd-cm do by default: without Lua's standard libraries.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"log"
	"os"
	"path/filepath"
	"sort"

	"github.com/argoproj/argo-cd/v3/util/lua"
	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/yaml"
)

// Verdict is what the tools say. Errors are theirs, too.
type Verdict struct {
	Health  string   `json:"health"`
	Message string   `json:"message"`
	Actions []string `json:"actions"`
	Kstatus string   `json:"kstatus"`
	Flux    string   `json:"flux"`
	Error   string   `json:"error,omitempty"`
}

// Judge has the scripts of Argo CD and the expressions of Flux.
type Judge struct {
	customizations string
	expressions    map[string]*cel.StatusEvaluator
}

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: verdicts CUSTOMIZATIONS KUSTOMIZATION < RESOURCES")
	}
	judge, err := newJudge(os.Args[1], os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	input, output := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		line, err := input.ReadBytes('\n')
		if err != nil {
			return
		}
		resource := &unstructured.Unstructured{}
		if err := resource.UnmarshalJSON(line); err != nil {
			log.Fatal(err)
		}
		if err := output.Encode(judge.verdict(resource)); err != nil {
			log.Fatal(err)
		}
	}
}

// newJudge reads the healthCheckExprs of a Kustomization of Flux.
func newJudge(customizations, kustomization string) (*Judge, error) {
	text, err := os.ReadFile(kustomization)
	if err != nil {
		return nil, err
	}
	var flux struct {
		Spec struct {
			HealthCheckExprs []kustomize.CustomHealthCheck `json:"healthCheckExprs"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(text, &flux); err != nil {
		return nil, err
	}
	judge := &Judge{customizations, map[string]*cel.StatusEvaluator{}}
	for _, check := range flux.Spec.HealthCheckExprs {
		evaluator, err := cel.NewStatusEvaluator(&check.HealthCheckExpressions)
		if err != nil {
			return nil, err
		}
		judge.expressions[check.Kind] = evaluator
	}
	return judge, nil
}

func (judge *Judge) verdict(resource *unstructured.Unstructured) Verdict {
	verdict := Verdict{}
	for _, ask := range []func(*unstructured.Unstructured, *Verdict) error{judge.argoCD, judge.kstatus, judge.flux} {
		if err := ask(resource, &verdict); err != nil {
			verdict.Error = err.Error()
		}
	}
	return verdict
}

func (judge *Judge) argoCD(resource *unstructured.Unstructured, verdict *Verdict) error {
	folder := filepath.Join(judge.customizations, resource.GroupVersionKind().Group, resource.GetKind())
	health, err := os.ReadFile(filepath.Join(folder, "health.lua"))
	if err != nil {
		return err
	}
	discovery, err := os.ReadFile(filepath.Join(folder, "actions", "discovery.lua"))
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	vm := lua.VM{}
	result, err := vm.ExecuteHealthLua(resource, string(health))
	if err != nil {
		return err
	}
	verdict.Health, verdict.Message = string(result.Status), result.Message
	if discovery == nil {
		return nil
	}
	actions, err := vm.ExecuteResourceActionDiscovery(resource, []string{string(discovery)})
	if err != nil {
		return err
	}
	for _, action := range actions {
		if !action.Disabled {
			verdict.Actions = append(verdict.Actions, action.Name)
		}
	}
	sort.Strings(verdict.Actions)
	return nil
}

func (judge *Judge) kstatus(resource *unstructured.Unstructured, verdict *Verdict) error {
	result, err := status.Compute(resource)
	if err != nil {
		return err
	}
	verdict.Kstatus = string(result.Status)
	return nil
}

// flux asks the expression for the kind, or as Flux does without one, kstatus.
func (judge *Judge) flux(resource *unstructured.Unstructured, verdict *Verdict) error {
	expression, known := judge.expressions[resource.GetKind()]
	if !known {
		verdict.Flux = verdict.Kstatus
		return nil
	}
	result, err := expression.Evaluate(context.Background(), resource)
	if err != nil {
		return err
	}
	verdict.Flux = string(result.Status)
	return nil
}
