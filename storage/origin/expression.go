package origin

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// TaskCluster's cloud-mirror listed its sources as regular expressions. A regular expression has no
// host part, so most of them allow more than their author meant. [ParseAllowed] accepts an
// expression only if it is literal:
//
//   - a scheme: http, https or https?
//   - a host with escaped dots, after [^/]*\. if it is a wildcard
//   - a port, or none
//   - a slash, and a literal path that ends in a slash, or none
//
// Such an expression allows what the entry with the same scheme, host, port and path allows.
const (
	literalScheme = `\^?(https\?|https|http)://`
	literalHost   = `(\[\^/\]\*\\\.)?((?:[A-Za-z0-9_-]|\\[.-])+)(:[0-9]+)?`
	literalPath   = `(/(?:(?:[A-Za-z0-9_~%:@!&',;=-]|\\[.+-])+/)*)`
)

// isExpression reports whether an entry that is no URL is meant as a regular expression.
func isExpression(entry string) bool {
	if strings.ContainsAny(entry, `\^$|(){}`) || strings.HasPrefix(entry, ".") {
		return true
	}
	return slices.ContainsFunc([]string{"s?://", "/.*", "/.+", "]*", "]+"}, func(s string) bool { return strings.Contains(entry, s) })
}

// parseExpression parses a regular expression in its narrow form.
func parseExpression(entry string) ([]Allowed, error) {
	literal := regexp.MustCompile(`^` + literalScheme + literalHost + literalPath + `$`).FindStringSubmatch(entry)
	if literal == nil {
		return nil, refuseExpression(entry)
	}
	scheme, wild, host, port, path := literal[1], literal[2], unescape(literal[3]), literal[4], unescape(literal[5])
	if wild != "" {
		host = "*." + host
	}
	var all []Allowed
	for _, s := range schemes(scheme) {
		a, err := parseAllowedURL(s + "://" + host + port + path)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// refuseExpression returns the error of an expression that is not in its narrow form.
func refuseExpression(entry string) error {
	rewrites := rewrite(entry)
	text := fmt.Sprintf("%#q is a regular expression that is not a literal scheme, host and slash", entry)
	if example := unwanted(entry, rewrites); example != "" {
		text = fmt.Sprintf("%#q is a regular expression that would also allow %s", entry, example)
	}
	if len(rewrites) > 0 {
		text += ": write " + strings.Join(rewrites, " and ")
	}
	return fmt.Errorf("%s", text) //nolint:err113 // a text for operators
}

// unwanted returns a URL that the expression matches and that its author did not mean. It is empty
// if none is found.
func unwanted(entry string, rewrites []string) string {
	expression, err := regexp.Compile(`\A(?:` + entry + `)`)
	if err != nil {
		return ""
	}
	var candidates []string
	for _, r := range rewrites {
		a, err := parseAllowedURL(r)
		if err != nil {
			continue
		}
		host := a.host
		if a.wild {
			host = "x." + host
		}
		candidates = append(candidates,
			a.scheme+"://"+host+".evil.test/", a.scheme+"://evil.test/"+host+"/", a.scheme+"://evil.test/?"+host+"/",
			a.scheme+"://"+strings.Replace(host, ".", "x", 1)+a.path, a.scheme+"://"+host+":8443"+a.path)
	}
	for _, url := range append(candidates, canaries...) {
		if expression.MatchString(url) {
			return url
		}
	}
	return ""
}

// maxRewrites bounds the suggestion. Groups of alternatives multiply.
const maxRewrites = 8

// rewrite returns entries that allow the likely intent of an expression, or none.
func rewrite(expression string) []string {
	all := expand(strings.TrimRight(strings.TrimPrefix(strings.TrimPrefix(expression, "^"), `\A`), "$"))
	var entries []string
	for _, e := range all {
		match := regexp.MustCompile(`^(https\?|https|http):(?:\\?/){2}(.+)$`).FindStringSubmatch(e)
		if match == nil {
			return nil
		}
		// A leading .*\. or [^/]+\. or [a-z-]+\. or the like is a wildcard.
		rest := regexp.MustCompile(`^(?:\[[^\]]*\]|\\w|\.)[*+]\\?\.`).ReplaceAllString(match[2], "*.")
		rest = regexp.MustCompile(`:(?:\\d|\[0-9\])[*+]`).ReplaceAllString(rest, "")
		rest = regexp.MustCompile(`(?:\[[^\]]*\]|\.)[*+]$`).ReplaceAllString(rest, "")
		for _, s := range schemes(match[1]) {
			a, err := parseAllowedURL(s + "://" + unescape(rest))
			if err != nil || len(entries) == maxRewrites {
				return nil
			}
			entries = append(entries, a.String())
		}
	}
	return entries
}

// expand returns expressions without groups. Together they match the same texts as the expression.
// It knows groups without groups in them, and with a question mark behind them.
func expand(expression string) []string {
	if !strings.Contains(expression, "(") && strings.Contains(expression, "|") {
		expression = "(" + expression + ")"
	}
	at := regexp.MustCompile(`\((?:\?:)?([^()]*)\)(\??)`).FindStringSubmatchIndex(expression)
	if at == nil {
		return []string{expression}
	}
	alternatives := strings.Split(expression[at[2]:at[3]], "|")
	if at[4] != at[5] {
		alternatives = append(alternatives, "")
	}
	var all []string
	for _, alternative := range alternatives {
		all = append(all, expand(expression[:at[0]]+alternative+expression[at[1]:])...)
		if len(all) > maxRewrites {
			break
		}
	}
	return all
}

func schemes(expression string) []string {
	if expression == "https?" {
		return []string{"https", "http"}
	}
	return []string{expression}
}

// unescape removes the backslashes before punctuation.
func unescape(s string) string {
	return regexp.MustCompile(`\\([^A-Za-z0-9])`).ReplaceAllString(s, "$1")
}
