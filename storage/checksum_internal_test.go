package storage

import (
	"math/rand/v2"
	"testing"

	"github.com/minio/crc64nvme"
	"github.com/stretchr/testify/require"
)

func TestChecksumsOfPartsAreCombined(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	whole := make([]byte, 1<<20+7)
	_, _ = random.Read(whole)
	for _, cut := range []int{0, 1, 7, 8, 4096, 1 << 19, len(whole) - 1, len(whole)} {
		first, second := crc64nvme.Checksum(whole[:cut]), crc64nvme.Checksum(whole[cut:])
		require.Equal(t, crc64nvme.Checksum(whole), combine(first, second, int64(len(whole)-cut)), "cut at %d", cut)
	}
	require.NotEqual(t, crc64nvme.Checksum(whole), combine(crc64nvme.Checksum(whole[1:]), crc64nvme.Checksum(whole[:1]), 1))
}

func TestFullSumNeedsEveryPartSum(t *testing.T) {
	part := Part{Number: 1, Size: 3}
	for _, c := range []Checksum{ChecksumCRC64NVME, ChecksumMD5} {
		_, err := c.fullSum([]Part{part})
		require.Error(t, err)
	}
}
