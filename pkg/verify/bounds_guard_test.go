package verify

import (
	"fmt"
	"testing"
)

func TestAMessageSpeaksOfNothingBeyondAList(t *testing.T) {
	const prefix = "https://id.example.com/"
	for ended, good := range map[string]bool{
		`"idx":[1048575]`:                                      true,
		`"idx":[1048576]`:                                      false,
		`"idx":[18446744073709551615]`:                         false,
		`"ranges":[[0,1048576]]`:                               true,
		`"ranges":[[1048575,1]]`:                               true,
		`"ranges":[[1048575,2]]`:                               false,
		`"ranges":[[0,1048577]]`:                               false,
		`"ranges":[[1,18446744073709551615]]`:                  false,
		`"ranges":[[18446744073709551615,1]]`:                  false,
		`"ranges":[[9223372036854775808,9223372036854775808]]`: false,
		`"ranges":[[1]]`:                                       false,
		`"ranges":[[1,1,1]]`:                                   false,
		`"idx":[7],"ranges":[[1,2],[1048000,1000]]`:            false,
		`"idx":[7],"ranges":[[1,2],[1048000,576],[1048575,1]]`: true,
		`"idx":[7,1048577],"ranges":[[1,2]]`:                   false,
	} {
		payload := fmt.Sprintf(`{"iss":"x","iat":1,"position":7,"ended":[{"uri":%q,%s}]}`, prefix+"status/1", ended)
		if _, err := parseMessage(event{id: "7-0"}, []byte(payload), "x", prefix); (err == nil) != good {
			t.Errorf("%s: %v, want good %t", ended, err, good)
		}
	}
}
